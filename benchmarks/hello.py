"""The smallest command one could write with the same libraries: what a cold start is measured against."""

import filelock
import typer
import yaml

app = typer.Typer(add_completion=False)


@app.command()
def hello(name: str = "world") -> None:
    assert filelock and yaml
    print(f"hello {name}")


if __name__ == "__main__":
    app()
