"""What a deployment may ask of the warm worker; the rest is refused by name before its run begins."""

from uuid import UUID

from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.workers.base import BaseJobConfiguration, BaseVariables
from pydantic import Field, PrivateAttr

from contracts.errors import OperatorError


class UnfitDeploymentError(OperatorError):
    """The deployment asks for what a process that is shared by all runs cannot give it."""


class WarmVariables(BaseVariables):
    """The pool's variables. All runs share one process, so none has an environment or a command of its own."""

    env: dict[str, str | None] = Field(
        default_factory=dict, description="Must stay empty: all runs share the worker's environment."
    )
    command: str | None = Field(
        default=None,
        description="Must stay empty: runs are no commands here. A `process` pool runs commands.",
    )


class WarmConfiguration(BaseJobConfiguration):
    """A run's configuration: nothing but the flow to call."""

    _entrypoint: str | None = PrivateAttr(default=None)
    _wishes: tuple[str, ...] = PrivateAttr(default=())

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: Flow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Remember what the deployment asks for, before Prefect adds its own."""
        asked: dict[str, object] = {"an environment": self.env, "a command": self.command}
        if deployment is not None:
            asked["pull steps"] = deployment.pull_steps
            self._entrypoint = deployment.entrypoint
        self._wishes = tuple(name for name, value in asked.items() if value)
        super().prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)

    def flow_path(self) -> str:
        """The dotted path of the flow; UnfitDeploymentError where a process of its own is asked for."""
        if self._wishes:
            raise UnfitDeploymentError(
                f"the deployment has {' and '.join(self._wishes)} of its own, which a warm worker cannot give it: "
                "take it out, or use a pool of the type `process`"
            )
        if not self._entrypoint or ":" in self._entrypoint:
            raise UnfitDeploymentError(
                f"the deployment's entrypoint is {self._entrypoint!r}, no dotted path such as "
                "`flows.lane.process_ready_batches`: a warm worker imports what is installed, "
                "a pool of the type `process` runs files"
            )
        return self._entrypoint
