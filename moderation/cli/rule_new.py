"""moderate rules new: start a rule, with everything that is still to be filled in marked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moderation.cli.rule_options import Folder  # noqa: TC001  (typer reads it)

__all__ = ["new"]


def new(
    rule_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="<porn|drugs|gambling|context>.<zh|en|mixed|any>.<slug>."
        ),
    ],
    folder: Folder = None,
    policy: Annotated[
        str | None, typer.Option(help="Of a context rule: one policy, or any (the default).")
    ] = None,
    sub_label: Annotated[str | None, typer.Option(help="Sub-label of the policy.")] = None,
    stance: Annotated[str | None, typer.Option(help="What the post does; default: offer.")] = None,
    level: Annotated[str | None, typer.Option(help="strong, medium (the default) or weak.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Rule file of the pack; default: where the rules most like it are."),
    ] = None,
) -> int:
    """Add a rule to fill in to its pack's file; print where it stands.

    Every other byte of the file stays as it was. `moderate rules check --strict` says what is
    still to be filled in.
    """
    from moderation.cli.rule_scaffold import Scaffold, pack_file, with_rule, written_ids
    from moderation.errors import ConfigError
    from moderation.scan.output import Output

    rule = Scaffold(rule_id, policy, sub_label, stance, level)
    rule.check()
    path = _writable(folder)
    ids = written_ids(path)
    if rule_id in ids:
        raise ConfigError(f"id {rule_id!r} is already used at {ids[rule_id]}")
    target = pack_file(path, rule, ids, file)
    try:
        data = target.read_bytes() if target.exists() else None
        content = with_rule(data, rule, str(target))
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written: {error.strerror}") from error
    output = Output(target)
    output.open()
    try:
        output.write(content)
    except BaseException:
        output.close(keep=False)
        raise
    output.close(keep=True)
    wanted = f"- id: {rule_id}".encode()
    lines = content.splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.strip() == wanted)
    typer.echo(f"{target}:{line}: {rule_id}")
    return 0


def _writable(folder: Path | None) -> Path:
    """Return the folder that a rule may be written to."""
    import moderation
    from moderation.cli.rule_options import rules_folder
    from moderation.errors import ConfigError, DataNotFoundError

    path = rules_folder(folder)
    if not path.is_dir():
        raise DataNotFoundError(f"expected a rules folder at {path}")
    package = Path(moderation.__file__).resolve().parent
    if folder is None and package in path.resolve().parents:
        raise ConfigError(
            f"{path}: these rules belong to the installed package, which an update replaces; "
            "copy them and name the copy"
        )
    return path
