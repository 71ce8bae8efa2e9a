"""Classifier: tokens and n-grams through ONNX Runtime to calibrated probabilities."""

from moderation.classifier.cuda import cuda_problem, has_cuda
from moderation.classifier.features import posts_of
from moderation.classifier.manifest import Manifest, digest_file, read_manifest, verify_files
from moderation.classifier.model import Model, load_model, model_reference
from moderation.classifier.sessions import DEVICES, SessionOptions, available_device

__all__ = [
    "DEVICES",
    "Manifest",
    "Model",
    "SessionOptions",
    "available_device",
    "cuda_problem",
    "digest_file",
    "has_cuda",
    "load_model",
    "model_reference",
    "posts_of",
    "read_manifest",
    "verify_files",
]
