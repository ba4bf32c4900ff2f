"""What sources share: when to ask again, page after page, units, and who a call was for."""
