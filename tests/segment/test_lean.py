"""A network is built without loading what MONAI would load beside it."""

import subprocess
import sys

BUILD = (
    "import sys; from netseg.segment.monai_networks import make_network; "
    "make_network('UNet', {'spatial_dims': 3, 'in_channels': 1, 'out_channels': 1, "
    "'channels': [4, 8], 'strides': [2]}); "
)


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


def test_pandas_and_plots_are_not_loaded_and_can_be_afterwards():
    told = run(
        BUILD + "print([n for n in ('pandas', 'matplotlib') if n in sys.modules]); import pandas"
    )
    assert told.stdout.strip() == "[]", told.stderr
    assert told.returncode == 0, told.stderr


def test_what_was_loaded_before_stays():
    told = run("import pandas; " + BUILD + "print(sys.modules['pandas'] is pandas)")
    assert told.stdout.strip() == "True", told.stderr


def test_monai_by_itself_loads_them():
    told = run("import sys, monai; print('pandas' in sys.modules)")
    assert told.stdout.strip() == "True", told.stderr
