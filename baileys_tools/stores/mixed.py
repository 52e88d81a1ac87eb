"""A session in two stores: its keys in Redis, its creds in a table. No transaction spans both.

So the parts change one after the other, in the order that is safe to die in: creds come last, and go first. Keys
without creds are no login; creds without their keys are one that can no longer read anybody. Where the second part is
refused, the first is taken back; a run that dies between them leaves what the same command completes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager

from baileys_tools.stores.cells import Abilities, HalfChanged, Store, StoreTrouble
from baileys_tools.stores.rules.rows import CREDS_TYPE, Cell, Change, Unit

_READINGS = 3

_Step = tuple[str, Store, Sequence[Change]]
"""What changes, where, and how."""


class MixedStore:
    """As `Store` says. Its locks are those of the keys' store."""

    def __init__(self, keys: Store, creds: Store) -> None:
        self.address = keys.address
        self.abilities: Abilities = keys.abilities._replace(atomic=False)
        self._keys = keys
        self._creds = creds

    def tenants(self, known: dict[str, str] | None = None) -> list[str]:
        """As `Store.tenants`."""
        return self._creds.tenants(known)

    def without_creds(self) -> int:
        """As `Store.without_creds`; Redis has much else that would have to be searched."""
        return 0

    def cells(self, tenant: str, *, afresh: bool = False) -> Iterator[Cell]:
        """As `Store.cells`: creds are read before and after the keys, until they are the same."""
        for _ in range(_READINGS):
            creds = [*self._creds.cells(tenant)]
            keys = [*self._keys.cells(tenant, afresh=afresh)]
            if [*self._creds.cells(tenant)] == creds:
                yield from creds
                yield from keys
                return
        raise StoreTrouble("its creds have changed each time that its keys were read: try again")

    def stamps(self, tenants: Collection[str]) -> dict[str, str]:
        """As `Store.stamps`."""
        creds, keys = self._creds.stamps(tenants), self._keys.stamps(tenants)
        return {one: f"{creds[one]} {keys[one]}" for one in tenants if one in creds and one in keys}

    def change(self, tenant: str, units: Sequence[Unit], *, whole: bool) -> list[bool]:
        """As `Store.change`, but in two steps where both keys and creds change: raises HalfChanged between them."""
        if whole:
            return [self._both(tenant, [one for unit in units for one in unit])] * len(units)
        of_keys = [unit for unit in units if not _parts(unit)[1]]
        made = iter(self._keys.change(tenant, of_keys, whole=False))
        return [self._both(tenant, unit) if _parts(unit)[1] else next(made) for unit in units]

    def _both(self, tenant: str, changes: Sequence[Change]) -> bool:
        keys, creds = _parts(changes)
        steps = [("keys", self._keys, keys), ("creds", self._creds, creds)]
        if any(one.after is None for one in creds):
            steps.reverse()
        made: list[_Step] = []
        for what, store, wanted in steps:
            if not wanted:
                continue
            try:
                is_made = all(store.change(tenant, [wanted], whole=True))
            except StoreTrouble as trouble:
                if made and not self._stands(store, tenant, wanted):
                    raise HalfChanged(
                        f"{trouble}; its {made[0][0]} have changed, and its {what} perhaps not"
                    ) from None
                self._take_back(tenant, made)
                raise
            if not is_made:
                self._take_back(tenant, made)
                return False
            made.append((what, store, wanted))
        return True

    def _stands(self, store: Store, tenant: str, changes: Sequence[Change]) -> bool:
        """Whether a store that has failed holds what it did, as far as it can be asked."""
        try:
            found = {(cell.type, cell.id): cell.text for cell in store.cells(tenant, afresh=True)}
        except StoreTrouble:
            return False
        return all(found.get((one.type, one.id)) == one.before for one in changes)

    def _take_back(self, tenant: str, made: Sequence[_Step]) -> None:
        for what, store, changes in made:
            back = [one._replace(before=one.after, after=one.before) for one in changes]
            try:
                is_back, why = all(store.change(tenant, [back], whole=True)), "they have changed again"
            except StoreTrouble as trouble:
                is_back, why = False, str(trouble)
            if not is_back:
                raise HalfChanged(f"its {what} alone have changed and could not be taken back: {why}")

    def locked(self, tenant: str) -> AbstractContextManager[None]:
        """As `Store.locked`."""
        return self._keys.locked(tenant)

    def claimed(self, tenant: str) -> AbstractContextManager[None]:
        """As `Store.claimed`."""
        return self._keys.claimed(tenant)

    def require_held(self, tenant: str) -> None:
        """As `Store.require_held`."""
        self._keys.require_held(tenant)

    def owner(self, tenant: str) -> str:
        """As `Store.owner`."""
        return self._keys.owner(tenant)

    def said(self) -> list[str]:
        """As `Store.said`."""
        keys, *of_keys = self._keys.said()
        creds, *of_creds = self._creds.said()
        return [f"{keys} for keys and {creds} for creds", *of_keys, *of_creds]

    def dangers(self) -> list[str]:
        """As `Store.dangers`."""
        return [*self._keys.dangers(), *self._creds.dangers()]

    def expiries(self, tenant: str, changes: Sequence[Change]) -> list[int | None]:
        """As `Store.expiries`: of keys alone."""
        found = iter(self._keys.expiries(tenant, _parts(changes)[0]))
        return [None if one.type == CREDS_TYPE else next(found) for one in changes]

    def expiring(self, tenant: str) -> int:
        """As `Store.expiring`."""
        return self._keys.expiring(tenant)

    def close(self) -> None:
        """Give both connections back."""
        self._keys.close()
        self._creds.close()


def _parts(changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Return the changes of keys, and those of creds."""
    creds = [one for one in changes if one.type == CREDS_TYPE]
    return [one for one in changes if one.type != CREDS_TYPE], creds
