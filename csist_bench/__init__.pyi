from csist_bench.api import evaluate as evaluate
from csist_bench.api import generate as generate
from csist_bench.api import label_grid as label_grid
from csist_bench.api import list_methods as list_methods
from csist_bench.api import list_recipes as list_recipes
from csist_bench.api import load_network as load_network
from csist_bench.api import load_predictions as load_predictions
from csist_bench.api import save_predictions as save_predictions
from csist_bench.api import train as train
from csist_bench.datasets.reading import open_dataset as open_dataset
from csist_bench.detections import Detections as Detections
from csist_bench.errors import InputError as InputError
from csist_bench.methods.inference import unmix as unmix
from csist_bench.simulation.camera import Camera as Camera

__version__: str
