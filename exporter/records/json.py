"""What JSON can say."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
