"""What is kept, removed and stated of the pre-keys of whole lives, under every way a server may hand them out."""

from __future__ import annotations

import itertools
import random

import pytest

from baileys_tools.sessions.rules.prekeys import TOP_UP, Evidence, apply_pre_key_rule
from tests.prekey_lives import LIVES, Bot, Server

SERVERS = list(Server)
GROWN = {"300 top-ups", "1,200 top-ups", "1,200 top-ups after 50"}
FIRST_UPLOADS = [name for name in LIVES if "handed out" in name or name.startswith("fresh")]


def lost(bot: Bot, *, times: bool = True, log: bool = False, keep: int = 50) -> int:
    """Clean once; return how many offered pre-keys went. The cost that was stated must cover them."""
    pool = bot.pool(times=times, log=log)
    removed = apply_pre_key_rule(pool, keep, guard=True).removed
    stated = Evidence(pool).offered_among(removed)
    gone = len(removed & set(bot.offered))
    assert gone <= stated.if_extended
    assert gone <= stated.if_replaced or bot.server is not Server.REPLACES
    assert stated.if_replaced <= stated.if_extended
    for pre_key_id in removed:
        del bot.written[pre_key_id]
    bot.offered = [pre_key_id for pre_key_id in bot.offered if pre_key_id not in removed]
    return gone


@pytest.mark.parametrize("keep", [50, 30])
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("life", LIVES)
def test_few_offered_pre_keys_go_and_they_are_stated(life: str, server: Server, keep: int) -> None:
    assert lost(LIVES[life](server), keep=keep) <= TOP_UP - 1
    # After a copy that lost the times a cleanup knows less; what goes is stated all the same.
    lost(LIVES[life](server), keep=keep, times=False)


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("life", LIVES)
def test_with_the_servers_own_count_no_offered_pre_key_goes(life: str, server: Server) -> None:
    assert lost(LIVES[life](server), log=True) == 0


@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("life", FIRST_UPLOADS)
def test_of_a_first_upload_nothing_goes_that_is_offered(life: str, server: Server, times: bool) -> None:
    assert lost(LIVES[life](server), times=times) == 0


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("life", sorted(GROWN))
def test_top_ups_without_end_come_down(life: str, server: Server) -> None:
    bot = LIVES[life](server)
    assert len(bot.written) > 1_500
    assert lost(bot) == 0
    assert len(bot.written) == 50


@pytest.mark.parametrize("server", SERVERS)
def test_keys_of_unanswered_retry_receipts_come_down(server: Server) -> None:
    bot = LIVES["6, 30 unanswered for each upload"](server)
    assert len(bot.written) > 2_000
    assert lost(bot) <= 1
    assert len(bot.written) <= 70


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("answered", [0.3, 0.7, 0.9, 1.0])
@pytest.mark.parametrize(("size", "handed_out"), [(812, 3), (812, 600), (200, 20), (50, 5)])
def test_answered_retry_receipts_do_not_make_an_upload_look_used_up(
    size: int, handed_out: int, answered: float, server: Server
) -> None:
    for seed, times in itertools.product(range(3), (True, False)):
        bot = Bot(server, first_upload=size, chance=random.Random(seed))
        bot.log_in()
        bot.hand_out(handed_out)
        bot.is_asked_again(120, answered)
        # Without times a cleanup knows less; what goes is stated all the same.
        assert lost(bot, times=times) <= TOP_UP or not times


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("version_7", [True, False])
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.faults) for seed in range(2, 6))]
)
def test_a_life_that_is_cleaned_every_day(seed: int, version_7: bool, server: Server) -> None:
    chance = random.Random(seed)
    bot = Bot(server, version_7, chance=chance)
    gone = 0
    for _ in range(400):
        bot.log_in()
        bot.hand_out(chance.randrange(0, 8))
        if chance.random() < 0.1:
            bot.ask_again(chance.randrange(1, 12))
        gone += lost(bot)
    assert gone <= 400 * 3.5 * 0.02, "more than one new chat in fifty"
    assert len(bot.written) <= 1_200


@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("server", SERVERS)
def test_a_second_cleanup_finds_nothing_more(server: Server, times: bool) -> None:
    for name, life in LIVES.items():
        bot = life(server)
        lost(bot, times=times)
        before = len(bot.written)
        lost(bot, times=times)
        assert len(bot.written) == before, name
