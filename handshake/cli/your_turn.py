"""`handshake demo --your-turn`: a shell with tasks, each confirmed by what the kernel does."""

from __future__ import annotations

import sys

from handshake.cli.console import glyphs, is_interactive


def your_turn(language: str, *, plain: bool, ascii_only: bool) -> None:
    """Open the shell on a terminal; print the tasks in a pipe. Raises LocalError."""
    from handshake.escape import printable
    from handshake.lessons.progress import done_tasks, keep_tasks
    from handshake.lessons.tasks import TASKS, TaskWatch, listed, tasks_text
    from handshake.view.layout import wrap

    text, signs = tasks_text(language), glyphs(ascii_only=ascii_only)
    before: dict[str, object] = dict.fromkeys(done_tasks())

    def shown(watch: TaskWatch) -> str:
        lines = listed(text, before | watch.done, check="✓", coming="○")
        return signs.spell("\n".join(lines) + "\n")

    def confirm(name: str, watch: TaskWatch) -> None:
        keep_tasks([*(before | watch.done)])
        proof = text.tasks[name].confirmed.format(**watch.done[name])
        said = f"\r\n ✓ {TASKS.index(name) + 1}. {text.done}: {printable(proof)}\r\n"
        if len(before | watch.done) == len(TASKS):
            said += f" {text.all}\r\n"
        sys.stdout.write(signs.spell(said))
        sys.stdout.flush()

    head = "\n".join([text.title, "", *wrap(signs.spell(text.intro), 80), ""])
    sys.stdout.write(f"{head}\n{shown(TaskWatch())}\n")
    if not is_interactive(plain=plain):
        sys.stdout.write(f"{signs.spell(text.pipe)}\n")
        return
    sys.stdout.write(f"{signs.spell(text.help)}\n")
    sys.stdout.flush()
    from handshake.lessons.your_turn import practise

    watch = practise(shown, confirm)
    left = text.left.format(done=len(before | watch.done), all=len(TASKS))
    sys.stdout.write(f"{left}\n")
