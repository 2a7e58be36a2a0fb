"""What-ifs, held to two sockets written straight from the RFC: segment by segment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handshake.cli.demo import WHAT_IFS
from handshake.errors import UsageError
from handshake.events import Role
from handshake.lessons import (
    LANGUAGES,
    WHAT_IF,
    Changes,
    Lesson,
    Moment,
    drops,
    screen_text,
    text_of,
    what_if,
)
from handshake.lessons.script import CLIENT, SERVER
from handshake.lessons.segment_names import KINDS
from handshake.lessons.what_if import ICMP
from handshake.tcp import Flags, Segment, Seq
from handshake.units import NS_PER_SECOND
from handshake.view.lesson import Place
from handshake.view.lesson_ladder import LadderLessonScreen
from tests.tracker.sockets import WINDOW, M, Socket

if TYPE_CHECKING:
    from handshake.lessons import Scene

GIVEN_UP: Final = 63
"""Seconds after which Linux forgets a half-open entry: 1 + 2 + 4 + 8 + 16 + 32."""

ENDS: Final = ("client", "server", "both")
DROPPED = st.builds(
    lambda kind, which: f"{kind}:{which}",
    st.sampled_from(KINDS),
    st.one_of(st.integers(1, 4), st.just("all")),
)
VALUES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "drop": st.lists(DROPPED, max_size=4).map(tuple),
    "closed": st.booleans(),
    "icmp": st.sampled_from([None, *ICMP]),
    "rtt": st.sampled_from([None, 1.0, 80.0, 300.0, 900.0, 2500.0]),
    "mss": st.lists(
        st.builds(
            "{}{}".format, st.sampled_from(["", "client:", "server:"]), st.integers(200, 1460)
        ),
        max_size=2,
    ).map(tuple),
    "no_wscale": st.lists(st.sampled_from(ENDS), max_size=1).map(tuple),
    "no_sack": st.lists(st.sampled_from(ENDS), max_size=1).map(tuple),
    "no_timestamps": st.lists(st.sampled_from(ENDS), max_size=1).map(tuple),
    "iss": st.lists(
        st.builds(
            "{}:{}".format,
            st.sampled_from(["client", "server"]),
            st.one_of(st.integers(0, M - 1), st.integers(M - 12, M - 1)),
        ),
        max_size=2,
    ).map(tuple),
    "forge": st.one_of(
        st.none(), st.sampled_from([2718281829, 2718281828, 2718290000]), st.integers(0, M - 1)
    ),
    # More than four entries at a time, and Linux gives up old ones earlier.
    "syns": st.one_of(st.none(), st.integers(0, 4)),
    "backlog": st.one_of(st.none(), st.integers(0, 3)),
    "cookies": st.booleans(),
    "no_cookie": st.booleans(),
    "no_fast_open": st.booleans(),
}


@st.composite
def asked(draw: st.DrawFn, name: str | None = None) -> tuple[str, Changes]:
    """Draw a lesson, and changes that one can make there."""
    name = draw(st.sampled_from([*WHAT_IF])) if name is None else name
    return name, Changes(**{each: draw(VALUES[each]) for each in WHAT_IF[name].changes})


def _form(segment: Segment) -> tuple[Any, ...]:
    flags = segment.flags & ~Flags.PSH
    return (str(segment.source), str(flags), segment.seq, segment.ack, segment.payload_length)


@dataclass
class End(Socket):
    """The socket of the tests, with what lessons need of RFC 5961 and RFC 7413, too."""

    early: int = 0
    """Octets that go with its SYN (RFC 7413)."""

    takes_early: bool = False
    waits: list[int] | None = None
    """Octets that its program sent before it could."""

    def connect(self) -> None:
        super().connect()
        if self.early:
            self.out.pop()
            self._emit(self.iss, Flags.SYN, self.early)
            assert self.nxt is not None
            self.unacked.append((self.nxt, Flags.ACK | Flags.PSH, self.early))
            self.nxt = (self.nxt + self.early) % M

    def send(self, octets: int) -> None:
        if self.state == "SYN-RECEIVED" and self.takes_early:
            self._queue(Flags.ACK | Flags.PSH, octets)
        elif self.state in ("SYN-SENT", "SYN-RECEIVED"):
            self.waits = [*(self.waits or []), octets]
        else:
            super().send(octets)

    def arrives(self, seg: Segment) -> None:
        before = self.state
        if seg.rst and before not in ("CLOSED", "LISTEN", "SYN-SENT"):
            ahead = (int(seg.seq) - (self.rcv or 0)) % M
            if ahead == 0:
                self.state = "CLOSED"
                self.unacked.clear()
            elif ahead < WINDOW and before != "SYN-RECEIVED":
                assert self.nxt is not None
                self._emit(self.nxt, Flags.ACK, 0)  # a challenge ACK (RFC 5961 section 3.2)
            return
        if before == "CLOSED" or (before == "LISTEN" and seg.ack is not None):
            self._without_socket(seg)
            return
        super().arrives(seg)
        if before == "LISTEN" and seg.syn and seg.payload_length and self.takes_early:
            self.rcv = ((self.rcv or 0) + seg.payload_length) % M
            self.out[-1] = replace(self.out[-1], ack=Seq(self.rcv))
        if before == "SYN-SENT" and self.state == "ESTABLISHED":
            self._send_what_waited()

    def _send_what_waited(self) -> None:
        """The first data takes the place of the bare ACK."""
        waiting = [(seq, flags, octets) for seq, flags, octets in self.unacked if octets]
        if waiting:
            self.out.pop()
            for seq, flags, octets in waiting:
                self._emit(seq, flags, octets)
        for octets in self.waits or []:
            if not waiting:
                self.out.pop()
                waiting = [(0, Flags.ACK, octets)]
            self._queue(Flags.ACK | Flags.PSH, octets)
        self.waits = None

    def _without_socket(self, seg: Segment) -> None:
        """Section 3.10.7.1, and the second step of 3.10.7.2."""
        if seg.rst:
            return
        flags, seq, ack = Flags.RST, seg.ack, None
        if seq is None:
            flags, seq, ack = Flags.RST | Flags.ACK, Seq(0), seg.end
        self.out.append(Segment(self.here, self.there, seq, ack, flags, 0))


@dataclass
class World:
    """Two such sockets live through what arrived; they must send just what was sent."""

    name: str
    lesson: Lesson

    def __post_init__(self) -> None:
        self.given = given = self.lesson.parts[0].conditions
        fast = given.offers[0].fast_open
        self.client = End(
            CLIENT, SERVER, int(given.numbers[0]), early=len(given.data) if fast else 0
        )
        self.asks = fast == b""
        if self.asks:
            self.client.waits = [len(given.data)]
        self.server = self._listening()
        self.flood = 0
        self.remembers_nothing = False

    def _listening(self) -> End:
        given = self.given
        end = End(SERVER, CLIENT, int(given.numbers[1]), takes_early=bool(given.fast_open))
        if not given.closed and not given.crossing:
            end.listen()
        return end

    def end(self, role: Role) -> End:
        return self.client if role is Role.CLIENT else self.server

    def check(self) -> None:
        for scene in self.lesson.played:
            role = scene.by or Role.CLIENT
            match scene.moment:
                case Moment.CALL:
                    self.call(self.end(role), scene)
                case Moment.ARRIVES:
                    self.arrives(scene)
                case Moment.ENDS:
                    self.ends(role)
                case Moment.REPORTED:
                    assert scene.error is not None
                    assert int(scene.error.seq) == self.client.iss
                    self.ends(role)
                case _:
                    self.leaves(self.end(role), scene)
        assert not self.client.out
        assert not self.server.out

    def leaves(self, end: End, scene: Scene) -> None:
        assert scene.segment is not None
        if not end.out:
            end.time_out()
        assert end.out, scene.name
        assert _form(scene.segment) == _form(end.out.pop(0)), scene.name

    def ends(self, role: Role) -> None:
        end = self.end(role)
        entry = end is self.server and end.state == "SYN-RECEIVED" and not self.given.crossing
        end.state = "CLOSED"
        end.unacked.clear()
        if entry:
            self.server = self._listening()

    def call(self, end: End, scene: Scene) -> None:
        match scene.name:
            case "connect" | "server-connects":
                end.connect()
            case "send":
                self.send(end, {"options": 1200, "numbers": 10}.get(self.name, 3))
            case "server-sends":
                self.send(end, {"options": 1200}.get(self.name, 5))
            case "close" | "server-closes":
                end.close()
            case "flood":
                self.flood = min(scene.number, self.given.backlog + 1)
            case "forged":
                end.arrives(Segment(SERVER, CLIENT, Seq(scene.number), None, Flags.RST, 0))

    def send(self, end: End, octets: int) -> None:
        """Cut what is sent by the MSS of the other end and of the own path (RFC 6691)."""
        mine, other = self.given.offers if end is self.client else self.given.offers[::-1]
        size = min(other.mss or 536, 1460) - (12 if mine.timestamps and other.timestamps else 0)
        while octets:
            end.send(min(size, octets))
            octets -= min(size, octets)

    def arrives(self, scene: Scene) -> None:
        seg, role = scene.segment, scene.by
        assert seg is not None
        assert role is not None
        opening = role is Role.CLIENT and seg.syn
        if opening and self.remembers_nothing and self.server.state == "SYN-RECEIVED":
            self.server = self._listening()
        if opening and self.server.state == "LISTEN":
            taken = self.flood if scene.at < GIVEN_UP * NS_PER_SECOND else 0
            if taken > self.given.backlog:
                if self.given.cookies:
                    self.cookie(seg, scene.sends)
                else:
                    assert not scene.sends
                return
        self.end(role.other).arrives(seg)
        if self.server.state == "CLOSED" and role is Role.CLIENT and seg.rst:
            # The RST removed a half-open entry: the listening socket is still there.
            self.server = self.server if self.accepted(scene) else self._listening()

    def accepted(self, scene: Scene) -> bool:
        return scene.server.after is not None and str(scene.server.after.state) != "LISTEN"

    def cookie(self, syn: Segment, answer: tuple[Segment, ...]) -> None:
        """The server remembers nothing: no timer runs, and only the ACK makes a socket."""
        self.remembers_nothing = True
        (syn_ack,) = answer
        assert syn_ack.ack == syn.seq + 1
        self.server = End(SERVER, CLIENT, int(syn_ack.seq))
        self.server.listen()
        self.server.arrives(syn)
        self.server.unacked.clear()


@settings(max_examples=300, deadline=None)
@given(asked())
@example(("half-open", Changes(cookies=True, drop=("syn-ack:1",))))
@example(("fast-open", Changes(drop=("syn-ack:1",))))
def test_a_what_if_is_what_two_sockets_of_the_rfc_do(world: tuple[str, Changes]) -> None:
    name, changes = world
    World(name, what_if(changes, name)).check()


@pytest.mark.parametrize("name", WHAT_IF)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_what_if_has_its_text(name: str, data: st.DataObject) -> None:
    _, changes = data.draw(asked(name))
    lesson = what_if(changes, name)
    assert 1 < len(lesson.scenes) <= 15
    for language in LANGUAGES:
        text = text_of(lesson, language)
        for index, scene in enumerate(lesson.scenes):
            step = text.steps[scene.name]
            assert "{" not in step.why + step.title
            place = Place(lesson, index, "?")
            screen = LadderLessonScreen(place, text, screen_text(language))
            assert max(row.cell_len for row in screen.lines(80)) <= 80
            assert len(screen.why(80)) <= 9


COOKIES: Final = {"cookies": True, "drop": ("syn-ack",), "syns": 2}
UNSCALED: Final = {"no_wscale": ("both",), "rtt": 100.0}


def _told(name: str, step: str, **changes: Any) -> str:
    lesson = what_if(Changes(**changes), name)
    return text_of(lesson, "en").steps[step].why


@pytest.mark.parametrize(
    ("name", "step", "changes", "says", "not_said"),
    [
        ("loss", "syn-again-10", {"drop": ("syn:all",)}, "the last try", "send this again"),
        ("loss", "syn", {"drop": ("syn",)}, "will send this again", "last try"),
        ("refused", "rst-arrives", {"rtt": 80.0}, "ECONNREFUSED", "ESTABLISHED"),
        ("refused", "syn-again-arrives", {"drop": ("rst",)}, "no socket", "half-open"),
        ("refused", "icmp-arrives", {"icmp": "net-unreachable"}, "ENETUNREACH", "EHOSTUNREACH"),
        ("refused", "icmp-arrives", {"icmp": "port-unreachable"}, "ECONNREFUSED", "EHOSTUNREACH"),
        ("refused", "icmp-arrives", {"icmp": "admin-prohibited"}, "EHOSTUNREACH", "ENETUNREACH"),
        ("half-open", "flood", {"syns": 1}, "room for 2, and 1 are", "dropped"),
        ("half-open", "flood", {"syns": 5}, "without an answer: 3", "cookie"),
        ("half-open", "flood", {"syns": 5, "cookies": True}, "not remembered: 3", "Dropped"),
        ("half-open", "syn-arrives", {"syns": 1}, "half-open entry for it", "no room"),
        ("half-open", "syn-arrives", {}, "no room", "entry for it"),
        (
            "half-open",
            "syn-ack",
            {"cookies": True, "drop": ("syn-ack",), "syns": 2},
            "no timer",
            "will send",
        ),
        ("half-open", "ack-arrives", {"cookies": True}, "right SYN cookie", "no room"),
        ("options", "syn-ack-arrives", {"no_wscale": ("server",)}, "the server did not", "7/7"),
        ("options", "syn-ack-arrives", {"no_sack": ("client",)}, "client did not offer", "SACK,"),
        (
            "options",
            "syn-ack-arrives",
            {"no_wscale": ("both",), "rtt": 100.0},
            "5.24 Mbit/s",
            "7/7",
        ),
        ("options", "send", {"mss": ("server:536",)}, "3 segments: 524 + 524 + 152", "data="),
        ("options", "send", {"mss": ("536",)}, "data=1200", "segments:"),
        ("options", "server-sends", {"mss": ("536",)}, "3 segments", "data="),
        ("numbers", "data-arrives", {"iss": ("4294967290",)}, "so 5 comes next", "lost"),
        ("numbers", "data-arrives", {"iss": ("1",)}, "from the number 2 on", "comes 0"),
        ("numbers", "forged", {"forge": 1}, "outside the client's window", "challenge"),
        ("numbers", "forged", {"forge": 2718281830}, "challenge ACK", "outside"),
        ("numbers", "forged", {"forge": 2718281829}, "the connection is gone", "challenge"),
        ("simultaneous", "syn-arrives", {}, "SYN-SENT to SYN-RECEIVED", "half-open"),
        ("simultaneous", "syn-2-arrives", {"drop": ("syn",)}, "the client goes from", "half-open"),
        ("fast-open", "syn-arrives", {}, "The cookie is right", "does not take"),
        ("fast-open", "syn-arrives", {"no_fast_open": True}, "does not take", "is right"),
        ("fast-open", "connect", {"no_cookie": True}, "asks for a cookie", "cookie and data"),
        ("fast-open", "syn-ack-arrives", {"no_cookie": True}, "brings a Fast Open", "returns"),
        ("close", "client-gives-up", {"drop": ("fin:all",)}, "117.7 s", "TIME-WAIT"),
    ],
)
def test_what_is_said_follows_from_what_happened(
    name: str, step: str, changes: dict[str, Any], says: str, not_said: str
) -> None:
    told = _told(name, step, **changes)
    assert says in told
    assert not_said not in told


@given(lost=st.integers(1, 8), rtt=st.sampled_from([1, 28, 900]))
@settings(max_examples=30, deadline=None)
def test_a_lost_syn_is_sent_again_after_the_times_of_linux(lost: int, rtt: int) -> None:
    which = ",".join(map(str, range(1, lost + 1)))
    lesson = what_if(Changes(rtt=rtt, drop=(f"syn:{which}",)))
    sent = [
        scene.at / NS_PER_SECOND
        for scene in lesson.played
        if scene.name.startswith("syn")
        and scene.moment in (Moment.LEAVES, Moment.LOST)
        and scene.by is Role.CLIENT
    ]
    waits = [b - a for a, b in pairwise(sent)]
    assert waits == [1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 8.0][:lost]


@pytest.mark.parametrize("name", WHAT_IF)
def test_what_means_nothing_in_a_lesson_is_an_error_that_says_what_does(name: str) -> None:
    given = {"drop": ("syn",), "closed": True, "icmp": "host-unreachable", "rtt": 1.0}
    given |= {"mss": ("1",), "iss": ("1",), "forge": 1, "syns": 1, "backlog": 2, "cookies": True}
    given |= dict.fromkeys(("no_wscale", "no_sack", "no_timestamps"), ("both",))
    given |= {"no_cookie": True, "no_fast_open": True}
    assert {*given} == {*VALUES}
    for each, value in given.items():
        if each in WHAT_IF[name].changes:
            assert what_if(Changes(**{each: value}), name).scenes  # type: ignore[arg-type]
            continue
        with pytest.raises(UsageError, match=f"no what-if of the lesson {name}, which has --"):
            what_if(Changes(**{each: value}), name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"mss": ("both:1",)}, "--mss 'both:1'"),
        ({"mss": ("0",)}, "from 1 to 65535"),
        ({"mss": ("server:",)}, "--mss 'server:'"),
        ({"no_sack": ("nobody",)}, "--no-sack nobody: must be client, server or both"),
    ],
)
def test_what_cannot_be_read(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        what_if(Changes(**changes), "options")


def test_what_drop_takes() -> None:
    assert drops(["syn:1,2", "ack", "rst:all"]) == {("syn", 1), ("syn", 2), ("ack", 1), ("rst", 0)}
    for wrong in ("fun", "syn:x", "syn:1,", "syn:0", "SYN", "syn:٣"):
        with pytest.raises(UsageError, match="--drop"):
            drops([wrong])


def test_the_help_of_demo_names_the_what_ifs_of_each_lesson() -> None:
    rows = dict(each.split(maxsplit=1) for each in WHAT_IFS.strip().splitlines()[1:])
    assert rows == {
        name: " ".join(f"--{each.replace('_', '-')}" for each in known.changes)
        for name, known in WHAT_IF.items()
    }
