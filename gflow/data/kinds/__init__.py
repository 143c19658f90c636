"""The kinds of data, by the names that scenario files use."""

from gflow.data.kind import AbstractData
from gflow.data.kinds.antipodal import AntipodalData
from gflow.data.kinds.cifar10 import ImageData
from gflow.data.kinds.features import FeatureData
from gflow.data.kinds.file import FileData
from gflow.data.kinds.mixture import MixtureData
from gflow.data.kinds.mnist import DigitData
from gflow.data.kinds.separable import SeparableData
from gflow.data.kinds.teacher import TeacherData
from gflow.data.kinds.xor import XorData
from gflow.table import Registry

DATA = Registry[AbstractData](
    MixtureData,
    FileData,
    DigitData,
    FeatureData,
    ImageData,
    AntipodalData,
    SeparableData,
    XorData,
    TeacherData,
)
"""The tables of `[data]` by `data.kind`; the first is the default."""
