"""moderate models: list and verify model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moderation.cli.exits import EXIT_USAGE

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List and verify models.", rich_markup_mode=None)


@app.command("list")
def list_models() -> int:
    """List the shipped models: reference, tiers, size."""
    from moderation.classifier import model_reference, read_manifest
    from moderation.resources import data_root

    for folder in sorted((data_root() / "models").iterdir()):
        if not folder.is_dir():
            continue
        manifest, digest = read_manifest(folder)
        size = sum(file.bytes for file in manifest.files.values())
        tiers = ",".join(manifest.tier_names)
        typer.echo(f"{model_reference(manifest, digest)}\t{tiers}\t{size / 1e6:.1f} MB")
    return 0


@app.command()
def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Model folder; default: every shipped model.", show_default=False),
    ] = None,
) -> int:
    """Compare every file of a model with the digest in its manifest."""
    from moderation.classifier import model_reference, read_manifest, verify_files
    from moderation.errors import ModelError
    from moderation.resources import data_root

    folders = (
        [folder]
        if folder is not None
        else [f for f in sorted((data_root() / "models").iterdir()) if f.is_dir()]
    )
    failed = 0
    for each in folders:
        try:
            manifest, digest = read_manifest(each)
            verify_files(each, manifest)
        except ModelError as error:
            typer.echo(f"moderate: {error}", err=True)
            failed += 1
        else:
            typer.echo(f"{model_reference(manifest, digest)}\tverified")
    return EXIT_USAGE if failed else 0
