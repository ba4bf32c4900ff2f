"""xAI: dollars by day and what they were for, and what is left of prepaid credits."""
