from typing import NamedTuple


class Look(NamedTuple):
    shape: str

    @property
    def path(self) -> str:
        return ""


def look_of(path, brand):
    return Look("box")
