"""Types of the public names; the same names as ``_EXPORTS`` in ``__init__.py``."""

from alliancekit.audit.assumptions import check_assumptions as check_assumptions
from alliancekit.core.errors import AllianceError as AllianceError
from alliancekit.core.errors import BoundaryWarning as BoundaryWarning
from alliancekit.core.errors import ConvergenceWarning as ConvergenceWarning
from alliancekit.core.errors import DesignError as DesignError
from alliancekit.core.errors import DesignWarning as DesignWarning
from alliancekit.core.errors import FitError as FitError
from alliancekit.core.errors import ReadError as ReadError
from alliancekit.core.errors import ReportError as ReportError
from alliancekit.core.errors import SchemaError as SchemaError
from alliancekit.core.errors import SmallSampleWarning as SmallSampleWarning
from alliancekit.core.errors import SpecError as SpecError
from alliancekit.measurement.reliability import reliability as reliability
from alliancekit.multilevel.api import mixed as mixed
from alliancekit.multilevel.residual.ar1 import ar1 as ar1
from alliancekit.multilevel.residual.car1 import car1 as car1
from alliancekit.multilevel.residual.compound_symmetry import compound_symmetry as compound_symmetry
from alliancekit.multilevel.residual.heteroscedastic import heteroscedastic as heteroscedastic
from alliancekit.multilevel.residual.power import power_of as power_of
from alliancekit.multilevel.residual.unstructured import unstructured as unstructured
from alliancekit.peers.crosscheck import crosscheck as crosscheck
from alliancekit.prediction.incremental import incremental_validity as incremental_validity
from alliancekit.report.document import Report as Report
from alliancekit.report.present import equation as equation
from alliancekit.report.present import figure as figure
from alliancekit.report.present import sentence as sentence
from alliancekit.report.present import table as table
from alliancekit.simulation.comparison import compare_truth as compare_truth
from alliancekit.simulation.simulate import simulate as simulate
from alliancekit.structural.api import cfa as cfa
from alliancekit.structural.api import growth as growth
from alliancekit.structural.api import sem as sem
from alliancekit.structural.compare import compare as compare
from alliancekit.structural.exploratory import efa as efa
from alliancekit.structural.tables import parameter_table as parameter_table
from alliancekit.study.codebook import Codebook as Codebook
from alliancekit.study.correlations import correlations as correlations
from alliancekit.study.dates import dates_to_days as dates_to_days
from alliancekit.study.derive import change_from_baseline as change_from_baseline
from alliancekit.study.derive import early_window as early_window
from alliancekit.study.derive import lag as lag
from alliancekit.study.derive import lead as lead
from alliancekit.study.derive import one_row_per as one_row_per
from alliancekit.study.derive import within_between as within_between
from alliancekit.study.describe import describe as describe
from alliancekit.study.flow import sample_flow as sample_flow
from alliancekit.study.read import read_study as read_study
from alliancekit.study.registry import instruments as instruments
from alliancekit.study.reshape import wide_to_long as wide_to_long
from alliancekit.study.score import score as score
from alliancekit.study.types import Study as Study
from alliancekit.study.validate import validate as validate
from alliancekit.study.write import write_study as write_study

__version__: str
__all__: list[str]
_EXPORTS: dict[str, str]
