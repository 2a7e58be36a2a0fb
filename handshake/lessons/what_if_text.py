"""Tells a what-if: every sentence follows from what happened in its scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from handshake.events import Role
from handshake.lessons.scene import Moment
from handshake.lessons.segment_names import NUMBER
from handshake.lessons.text import LessonText, joined, lesson_text, read_text
from handshake.tcp import Flags, State
from handshake.units import MODULUS, NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Change
    from handshake.lessons.scene import Lesson, Scene
    from handshake.lessons.script import Conditions
    from handshake.tcp import ControlBlock, Segment

_UNSCALED: Final = 0xFFFF
_ERRORS: Final = {0: "ENETUNREACH", 1: "EHOSTUNREACH", 3: "ECONNREFUSED", 13: "EHOSTUNREACH"}
"""What connect() returns for the codes of an ICMP error "destination unreachable" (Linux)."""


def what_if_text(lesson: Lesson, language: str) -> LessonText:
    """Return the text of a what-if."""
    read = lesson_text(lesson.name, language)
    words = read_text(lesson.name, language)
    conditions = lesson.parts[0].conditions
    steps = {}
    for index, scene in enumerate(lesson.scenes):
        telling = _Telling(scene, conditions, words, lesson)
        text = read.steps[telling.name]
        values = telling.values
        said = [text.why.format(**values), *telling.sentences()]
        if index == 0 and lesson.played and scene is not lesson.played[0]:
            said = said[:1]
        steps[scene.name] = replace(text, title=text.title.format(**values), why=" ".join(said))
    title = f"{read.title}: {lesson_text(lesson.variant_of, language).title}"
    return LessonText(title, steps, ())


@dataclass(frozen=True, slots=True)
class _Telling:
    """One scene, and what can be said of it."""

    scene: Scene
    conditions: Conditions
    words: dict[str, Any]
    lesson: Lesson

    @property
    def name(self) -> str:
        """The text of the event itself, which all scenes of its kind share."""
        scene = self.scene
        match scene.moment:
            case Moment.ENDS:
                return self._end()
            case Moment.LOST | Moment.REJECTED:
                return f"{NUMBER.sub('', scene.name)}-{scene.moment.value}"
        name = NUMBER.sub("", scene.name)
        if name == "connect" and scene.sends:
            cookie = scene.sends[0].options.fast_open
            return name if cookie is None else f"{name}-{'with-cookie' if cookie else 'asks'}"
        return name

    def _end(self) -> str:
        before = _state(self._own.before)
        block = self._own.before
        if before is State.TIME_WAIT:
            return "time-wait-ends"
        if before is State.FIN_WAIT_2:
            return "fin-wait-2-ends"
        if before is State.SYN_SENT or (
            before is State.SYN_RECEIVED and block is not None and not block.passive
        ):
            return "connect-ends"
        return "entry-ends" if before is State.SYN_RECEIVED else "retransmission-ends"

    # Who.

    @property
    def _by(self) -> Role:
        return self.scene.by or Role.CLIENT

    @property
    def _changes(self) -> Role:
        """Whose socket the event is about: the receiver's, or that of who does something."""
        return self._by.other if self.scene.moment is Moment.ARRIVES else self._by

    @property
    def _own(self) -> Change:
        return self.scene.client if self._changes is Role.CLIENT else self.scene.server

    def _end_name(self, role: Role) -> str:
        return str(self.words["ends"][str(role)])

    @property
    def values(self) -> dict[str, object]:
        """What the texts may name."""
        scene, seg = self.scene, self.scene.segment
        entries = [each for each in scene.sockets[1] if each.state == "SYN-RECV"]
        listening = [each for each in scene.sockets[1] if each.state == "LISTEN"]
        room = listening[0].send_q + 1 if listening else 0
        error = scene.error
        return {
            "at": f"{scene.at / NS_PER_SECOND:.4g}",
            "by": self._end_name(self._by),
            "end": self._end_name(self._changes),
            "seq": "" if seg is None else seg.seq,
            "ack": "" if seg is None or seg.ack is None else seg.ack,
            "length": 0 if seg is None else seg.payload_length,
            "number": scene.number,
            "entries": len(entries),
            "room": room,
            "rest": scene.number - len(entries),
            "before": _state(self._own.before) or "",
            "after": _state(self._own.after) or "",
            "router": "" if error is None else error.sender,
            "error": "" if error is None else error,
            "errno": "" if error is None else _ERRORS.get(error.code, ""),
            "rtt": f"{self.conditions.rtt / NS_PER_MS:.4g}",
        }

    # What.

    def sentences(self) -> Iterator[str]:
        """Yield what follows from the event: what changed, and what is sent."""
        found = self._facts()
        for code, values in found:
            yield joined(self.words["says"][code]).format(**{**self.values, **values})

    def _facts(self) -> Iterator[tuple[str, dict[str, object]]]:
        scene = self.scene
        match scene.moment:
            case Moment.LOST:
                yield from self._timer()
                return
            case Moment.REJECTED | Moment.ENDS:
                return
        name = self.name
        if name == "flood":
            yield self._flooded(), {}
            return
        if name == "forged":
            yield from self._forged()
            return
        if scene.moment is Moment.ARRIVES:
            yield from self._received()
        yield from self._moved()
        if scene.moment is Moment.ARRIVES:
            yield from self._agreed()
        yield from self._sends()

    def _timer(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Say whether the sender of a lost segment will notice."""
        seg, block = self.scene.segment, self._own.after
        if seg is None or seg.rst or not seg.length:
            return
        waits = block is not None and block.state is not State.LISTEN
        yield ("last-try" if self.scene.last_try else "timer") if waits else "no-timer", {}

    def _flooded(self) -> str:
        values = self.values
        entries, room, rest = (int(str(values[each])) for each in ("entries", "room", "rest"))
        if not rest:
            return "flood-full" if entries >= room else "flood-room"
        return "flood-cookies" if self.conditions.cookies else "flood-dropped"

    def _forged(self) -> Iterator[tuple[str, dict[str, object]]]:
        before, after = _state(self._own.before), _state(self._own.after)
        if before is None or before is State.CLOSED:
            yield "forged-nothing", {}
        elif after is State.CLOSED:
            yield "forged-exact", {}
        elif not before.synchronized:
            yield "forged-opening", {}
        elif self.scene.sends:
            yield "forged-near", {}
            yield from self._sends()
        else:
            yield "forged-far", {}

    def _received(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Say what its receiver makes of a segment, where that is not a change of its state."""
        seg, before, after = self.scene.segment, self._own.before, self._own.after
        assert seg is not None
        if seg.payload_length and seg.syn:
            taken = after is not None and after.rcv.nxt == seg.end
            yield "syn-data-taken" if taken else "syn-data-left", {}
        elif seg.payload_length and int(seg.seq) + seg.payload_length >= MODULUS:
            yield "wraps", {"next": int(seg.seq + seg.payload_length)}
        if seg.syn and seg.ack is not None and seg.options.fast_open:
            yield "cookie-learnt", {}
        state = _state(after)
        if after is None or (state is State.CLOSED and _state(before) is State.CLOSED):
            yield "no-socket", {}
        elif state is State.LISTEN and _state(before) in (None, State.LISTEN):
            if seg.syn and seg.ack is None:
                yield "no-entry" if self.scene.sends else "no-room", {}
            elif not seg.rst:
                yield "nothing-known", {}
        elif before == after:
            yield "unchanged", {}

    def _moved(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Say how a state changed."""
        before, after = _state(self._own.before), _state(self._own.after)
        block = self._own.after
        if before is after or after is None:
            return
        name = f"{before or 'none'}>{after}"
        seg = self.scene.segment
        if seg is not None and seg.rst and self.scene.moment is Moment.ARRIVES:
            if before is State.SYN_SENT:
                yield "refused", {}
            else:
                yield "entry-reset" if after is State.LISTEN else "reset", {}
            return
        if self.scene.moment is Moment.REPORTED:
            yield "unreachable", {}
            return
        yield name if name in self.words["says"] else "moved", {}
        opens = before in (State.SYN_SENT, State.SYN_RECEIVED) and after is State.ESTABLISHED
        if opens and block is not None and not block.passive and not self.conditions.data:
            yield "connect-returns", {"took": f"{self._took() / NS_PER_SECOND:.4g}"}

    def _took(self) -> int:
        """Return how long connect() of this end took, in nanoseconds."""
        name = "connect" if self._changes is Role.CLIENT else "server-connects"
        began = next(each.at for each in self.lesson.played if each.name == name)
        return self.scene.at - began

    def _agreed(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Say which options are in use, once the client knows."""
        block = self.scene.client.after
        opened = _state(self.scene.client.before) is State.SYN_SENT
        if not opened or block is None or block.state is not State.ESTABLISHED:
            return
        ours, theirs = block.offered, block.peer_offered
        if ours is None or theirs is None:
            return
        names, missing = self.words["options"], []
        used = []
        for name, mine, other in (
            ("window_scale", ours.window_scale is not None, theirs.window_scale is not None),
            ("sack", ours.sack_permitted, theirs.sack_permitted),
            ("timestamps", ours.timestamps, theirs.timestamps),
        ):
            shifts = {"shifts": f"{block.snd_shift}/{block.rcv_shift}"}
            if mine and other:
                used.append(names[name].format(**shifts))
            else:
                why = "not-offered" if mine else "not-asked"
                missing.append((why, names[name].format(shifts="").strip()))
        nothing = self.words["says"]["none"]
        yield "in-use", {"options": ", ".join(used) or nothing}
        for why, name in missing:
            yield why, {"option": name}
        yield from self._limits(block)

    def _limits(self, block: ControlBlock) -> Iterator[tuple[str, dict[str, object]]]:
        ours, theirs = block.offered, block.peer_offered
        assert ours is not None
        assert theirs is not None
        if ours.mss != theirs.mss:
            yield "mss", {"mine": ours.mss, "theirs": theirs.mss}
        if ours.window_scale is None or theirs.window_scale is None:
            rate = _UNSCALED * 8 * NS_PER_SECOND / self.conditions.rtt / 1e6
            yield "unscaled", {"rate": f"{rate:.3g}"}

    def _sends(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Say what is sent at once."""
        scene, sent = self.scene, self.scene.sends
        if sent:
            pieces = [each.payload_length for each in sent if each.payload_length]
            if len(pieces) == len(sent) > 1:
                octets = " + ".join(map(str, pieces))
                yield "pieces", {"octets": octets, "count": len(pieces), "sum": sum(pieces)}
                return
            yield "sends", {"what": ", ".join(map(_described, sent))}
        elif scene.moment is Moment.ARRIVES:
            seg = scene.segment
            told = _state(self._own.after) is State.LISTEN  # that it was dropped
            if seg is not None and seg.length and not seg.rst and not told:
                yield "silent", {}


def _state(block: ControlBlock | None) -> State | None:
    return None if block is None else block.state


def _described(segment: Segment) -> str:
    shown = f"{segment.flags & ~Flags.PSH} seq={segment.seq}"
    shown += "" if segment.ack is None else f" ack={segment.ack}"
    return f"{shown} data={segment.payload_length}" if segment.payload_length else shown
