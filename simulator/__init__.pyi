from simulator.api import Comparison as Comparison
from simulator.api import InputError as InputError
from simulator.api import Result as Result
from simulator.api import Scenario as Scenario
from simulator.api import Workload as Workload
from simulator.api import compare as compare
from simulator.api import run as run

__all__: list[str]
__version__: str
