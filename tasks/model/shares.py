"""Who may have how many of what there is too little of."""

from collections.abc import Mapping


def fair_shares(limit: int, wishes: Mapping[str, int]) -> dict[str, int]:
    """What each gets of `limit`: its wish where that is less than an equal share, and of the rest an equal share.

    Max-min fairness (Bertsekas and Gallager, Data Networks, section 6.5.2) in whole numbers: nobody can get more
    without somebody getting less who has no more. What cannot be divided goes to the first by name, so that all who
    know the same wishes come to the same shares.
    """
    shares: dict[str, int] = {}
    left, hungry = max(0, limit), sorted(wishes, key=lambda name: (max(0, wishes[name]), name))
    while hungry:
        equal = left // len(hungry)
        if max(0, wishes[hungry[0]]) > equal:
            extra = left - equal * len(hungry)
            ranked = sorted(hungry)
            return shares | {name: equal + (place < extra) for place, name in enumerate(ranked)}
        name = hungry.pop(0)
        shares[name] = max(0, wishes[name])
        left -= shares[name]
    return shares
