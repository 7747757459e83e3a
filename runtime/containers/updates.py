"""`docker update`: other limits and another restart policy, for a container that may run meanwhile."""

from collections.abc import Mapping
from typing import Any

from runtime.containers.model import Container
from runtime.containers.oci_runtime import plain
from runtime.containers.services import Services
from runtime.containers.specification import limits, settled
from runtime.errors import BadParameter, EngineError
from runtime.programs import ProgramFailed

_LIMITS = (
    "CpuShares",
    "Memory",
    "NanoCpus",
    "BlkioWeight",
    "CpuPeriod",
    "CpuQuota",
    "CpusetCpus",
    "CpusetMems",
    "MemoryReservation",
    "MemorySwap",
    "PidsLimit",
)


def apply(services: Services, container: Container, body: Mapping[str, Any]) -> list[str]:
    """Change the given limits, the lock held; returns warnings. Raises: BadParameter, EngineError."""
    given = {name: body[name] for name in _LIMITS if body.get(name)}
    wanted = {**container.host_config, **given}
    policy = body.get("RestartPolicy") or {}
    if not isinstance(policy, dict):
        raise BadParameter("json: RestartPolicy is an object")
    if policy.get("Name"):
        wanted["RestartPolicy"] = {
            "Name": str(policy["Name"]),
            "MaximumRetryCount": policy.get("MaximumRetryCount") or 0,
        }
    if given.get("Memory") and not given.get("MemorySwap") and 0 < wanted["MemorySwap"] < wanted["Memory"]:
        raise BadParameter("Memory limit should be smaller than already set memoryswap limit, update the memoryswap "
                           "at the same time")  # fmt: skip
    checked = settled.host_config(wanted)
    if container.state.alive and given and (resources := limits.resources(checked, services.abilities)):
        try:
            services.runtime.update(container.id, resources)
        except ProgramFailed as error:
            raise EngineError(f"Cannot update container {container.id}: {plain(error.said)}") from error
    container.host_config = checked
    container.save()
    return limits.warnings(given, services.abilities)
