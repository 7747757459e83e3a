"""`moor version` and `moor info`. Source: docker/cli cli/command/system/{version,info}.go for the layout."""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from registry import __version__
from runtime import API_VERSION
from runtime.cli.client import Unreachable
from runtime.cli.options import command
from runtime.cli.session import Session
from runtime.cli.tables import rendered
from runtime.cli.words import binary_size

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@command(most=0)
@click.option("-f", "--format", "form", metavar="TEMPLATE", help="Format output using a custom template")
def version(session: Session, form: str | None) -> int:
    """Show the Moorage engine's version information."""
    client, failure = _client(session), ""
    server: Any = None
    try:
        server = session.client.json("/version")
        client["ApiVersion"] = session.client.version
    except Unreachable as error:
        failure = str(error)
    if form:
        shape = {"Client": client, "Server": server}
        click.echo(rendered("{{json .}}" if form == "json" else form, shape))
    else:
        click.echo("\n".join(_version_lines(client, server)))
    if failure:
        click.echo(failure, err=True)
    return 1 if failure else 0


def _client(session: Session) -> dict[str, Any]:
    return {
        "Version": __version__,
        "ApiVersion": ".".join(map(str, API_VERSION)),
        "DefaultAPIVersion": ".".join(map(str, API_VERSION)),
        "PythonVersion": sys.version.split()[0],
        "Os": sys.platform,
        "Arch": MACHINES.get(os.uname().machine, os.uname().machine),
        "Socket": session.socket,
    }


def _version_lines(client: Mapping[str, Any], server: Mapping[str, Any] | None) -> Iterator[str]:
    api, default = client["ApiVersion"], client["DefaultAPIVersion"]
    yield "Client: Moorage Engine"
    yield from _fields(
        1,
        {
            "Version": client["Version"],
            "API version": api if api == default else f"{api} (downgraded from {default})",
            "Python version": client["PythonVersion"],
            "OS/Arch": f"{client['Os']}/{client['Arch']}",
        },
    )
    if server is None:
        return
    name = (server.get("Platform") or {}).get("Name", "")
    yield ""
    yield f"Server:{' ' + name if name else ''}"
    for component in server.get("Components") or ():
        yield f" {component['Name']}:"
        yield from _fields(2, _component(component, server))


def _component(component: Mapping[str, Any], server: Mapping[str, Any]) -> dict[str, Any]:
    details = component.get("Details") or {}
    if component["Name"] != "Engine":
        return {"Version": component.get("Version", ""), **details}
    return {
        "Version": component.get("Version", ""),
        "API version": f"{server['ApiVersion']} (minimum version {server.get('MinAPIVersion', '')})",
        "Go version": details.get("GoVersion"),
        "Python version": details.get("PythonVersion"),
        "Git commit": details.get("GitCommit"),
        "Built": details.get("BuildTime"),
        "OS/Arch": f"{server.get('Os', '')}/{server.get('Arch', '')}",
        "Experimental": details.get("Experimental", "false"),
    }


def _fields(indent: int, values: Mapping[str, Any]) -> Iterator[str]:
    for label, value in values.items():
        if value is not None:
            yield f"{' ' * indent}{label + ':':<17} {value}".rstrip()


@command(most=0)
@click.option("-f", "--format", "form", metavar="TEMPLATE", help="Format output using a custom template")
def info(session: Session, form: str | None) -> None:
    """Display system-wide information."""
    found = session.client.json("/info")
    if form:
        click.echo(rendered("{{json .}}" if form == "json" else form, found))
        return
    click.echo("Client: Moorage Engine")
    click.echo(f" Version:    {__version__}\n Debug Mode: false\n\nServer:")
    for line in _info_lines(found):
        click.echo(line)
    for warning in found.get("Warnings") or ():
        click.echo(warning, err=True)


def _info_lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f" Containers: {found['Containers']}"
    for label in ("Running", "Paused", "Stopped"):
        yield f"  {label}: {found[f'Containers{label}']}"
    for label, name in (("Images", "Images"), ("Server Version", "ServerVersion"), ("Storage Driver", "Driver")):
        yield f" {label}: {found.get(name, '')}"
    for name, value in found.get("DriverStatus") or ():
        yield f"  {name}: {value}"
    for label, name in (
        ("Logging Driver", "LoggingDriver"),
        ("Cgroup Driver", "CgroupDriver"),
        ("Cgroup Version", "CgroupVersion"),
    ):
        yield f" {label}: {found.get(name, '')}"
    yield from _plugins(found)
    yield from _security(found)
    yield from _machine(found)


def _plugins(found: Mapping[str, Any]) -> Iterator[str]:
    plugins = found.get("Plugins") or {}
    yield " Plugins:"
    for kind in ("Volume", "Network", "Log"):
        yield f"  {kind}: {' '.join(plugins.get(kind) or ())}"
    yield f" Swarm: {(found.get('Swarm') or {}).get('LocalNodeState', 'inactive')}"
    yield f" Runtimes: {' '.join(sorted(found.get('Runtimes') or ()))}"
    yield f" Default Runtime: {found.get('DefaultRuntime', '')}"
    for label, name in (("runc version", "RuncCommit"), ("init version", "InitCommit")):
        commit = (found.get(name) or {}).get("ID", "")
        if commit:
            yield f" {label}: {commit}"


def _security(found: Mapping[str, Any]) -> Iterator[str]:
    options = found.get("SecurityOptions") or ()
    if options:
        yield " Security Options:"
    for option in options:
        pairs = dict(pair.partition("=")[::2] for pair in option.split(","))
        yield f"  {pairs.pop('name', option)}"
        yield from (f"   {name.title()}: {value}" for name, value in pairs.items())


def _machine(found: Mapping[str, Any]) -> Iterator[str]:
    for label, name in (
        ("Kernel Version", "KernelVersion"),
        ("Operating System", "OperatingSystem"),
        ("OSType", "OSType"),
        ("Architecture", "Architecture"),
        ("CPUs", "NCPU"),
    ):
        yield f" {label}: {found.get(name, '')}"
    yield f" Total Memory: {binary_size(found.get('MemTotal') or 0)}"
    for label, name in (("Name", "Name"), ("ID", "ID"), ("Docker Root Dir", "DockerRootDir")):
        yield f" {label}: {found.get(name, '')}"
    yield f" Debug Mode: {str(bool(found.get('Debug'))).lower()}"
    if found.get("IndexServerAddress"):
        yield f" Registry: {found['IndexServerAddress']}"
    yield f" Experimental: {str(bool(found.get('ExperimentalBuild'))).lower()}"
    registries = found.get("RegistryConfig") or {}
    yield " Insecure Registries:"
    yield from (f"  {n}" for n, c in (registries.get("IndexConfigs") or {}).items() if not c.get("Secure", True))
    yield from (f"  {network}" for network in registries.get("InsecureRegistryCIDRs") or ())
    mirrors = registries.get("Mirrors") or ()
    if mirrors:
        yield " Registry Mirrors:"
        yield from (f"  {mirror}" for mirror in mirrors)
    yield f" Live Restore Enabled: {str(bool(found.get('LiveRestoreEnabled'))).lower()}"
