"""Reads what `every_kind_of_record` of tests/tensorboard/files.rs writes with TensorBoard's own code: its event loader, its accumulator, and the plugins'
parsers. Run from the repository's root with the interpreter of an environment that has tensorboard and Pillow:

    FLAMBEAU_TENSORBOARD_RUN=/tmp/run cargo test --workspace --test tensorboard every_kind_of_record
    python crates/flambeau-tensorboard/goldens/read_back.py /tmp/run

It prints what it found, and fails where something is not as the test wrote it.
"""
import io
import pathlib
import sys

import numpy as np
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing import data_provider, plugin_event_accumulator, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import graph_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.mesh import metadata as mesh_metadata
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.util import tensor_util

run = pathlib.Path(sys.argv[1])
old = EventAccumulator(str(run), size_guidance={k: 0 for k in ("scalars", "histograms", "images", "audio", "tensors", "compressedHistograms")})
old.Reload()
tags = old.Tags()
print({k: v for k, v in tags.items() if v})

losses = old.Scalars("Loss/train")
assert [e.step for e in losses] == list(range(20))
assert np.allclose([e.value for e in losses], [1 / (1 + i) for i in range(20)])
for name, sign in (("a", 1), ("b", -1)):
    part = EventAccumulator(str(run / f"both_{name}"))
    part.Reload()
    assert [e.value for e in part.Scalars("both")] == [sign * float(i) for i in range(20)]

values = np.array([i * 37 % 60 / 60 for i in range(60)], dtype=np.float32)
for i, event in enumerate(old.Histograms("weights")):
    h = event.histogram_value
    assert event.step == i and h.num == 60 and np.isclose(h.max, values.max() * (1 + i)) and h.min == 0 and sum(h.bucket) == 60
    assert len(h.bucket) == len(h.bucket_limit) and np.isclose(h.sum, values.sum() * (1 + i))
assert old.CompressedHistograms("weights")[0].compressed_histogram_values

pixels = lambda tag: np.asarray(Image.open(io.BytesIO(old.Images(tag)[0].encoded_image_string)))
image = (values.reshape(3, 4, 5) * np.float32(255)).astype(np.uint8).transpose(1, 2, 0)
assert (pixels("image") == image).all()
assert pixels("images").shape == (4, 16, 3) and pixels("figure/rgb")[0, 0].tolist() == [10, 200, 30]
assert pixels("boxes").shape == (80, 80, 3)
assert old.Images("figure/svg")[0].encoded_image_string.startswith(b"<svg") and old.Images("figure/svg")[0].width == 40
sound = old.Audio("sound")[0]
assert sound.encoded_audio_string[:4] == b"RIFF" and sound.length_frames == 60

tensor = lambda tag: tensor_util.make_ndarray(old.Tensors(tag)[0].tensor_proto)
assert tensor("notes/text_summary").tolist() == [b"the learning rate was **0.1**"]
assert np.allclose(tensor("tensor"), values)
assert tensor("pr").shape == (6, 127)
assert tensor("mesh_VERTEX").shape == (1, 20, 3) and tensor("mesh_FACE").tolist() == [[[0, 1, 2], [2, 3, 4]]]
assert mesh_metadata.parse_plugin_metadata(old.SummaryMetadata("mesh_VERTEX").plugin_data.content).components == 0b110
layout = layout_pb2.Layout.FromString(tensor("custom_scalars__config__").tolist())
assert layout.category[0].chart[0].multiline.tag == ["Loss/train", "Loss/new"]

graph = old.Graph()
assert isinstance(graph, graph_pb2.GraphDef) and any(n.name == "output/output.1" for n in graph.node), graph
names = {n.name for n in graph.node}
assert all(i in names for n in graph.node for i in n.input)

config = text_format.Parse((run / "projector_config.pbtxt").read_text(), ProjectorConfig())
info = config.embeddings[0]
assert len((run / info.tensor_path).read_text().splitlines()) == len((run / info.metadata_path).read_text().splitlines()) == 20
assert Image.open(run / info.sprite.image_path).size == (20, 20)

# The way of TensorBoard's server: the multiplexer and the provider that its plugins ask.
multiplexer = plugin_event_multiplexer.EventMultiplexer()
multiplexer.AddRunsFromDirectory(str(run))
multiplexer.Reload()
runs = sorted(multiplexer.Runs())
assert runs == [".", "both_a", "both_b", "run"], runs
experiment = hparams_metadata.parse_experiment_plugin_data(multiplexer.SummaryMetadata("run", hparams_metadata.EXPERIMENT_TAG).plugin_data.content)
start = hparams_metadata.parse_session_start_info_plugin_data(multiplexer.SummaryMetadata("run", hparams_metadata.SESSION_START_INFO_TAG).plugin_data.content)
assert [h.name for h in experiment.hparam_infos] == ["lr", "bsize", "opt"] and start.hparams["bsize"].number_value == 32
assert start.hparams["opt"].string_value == "adam"
provider = data_provider.MultiplexerDataProvider(multiplexer, str(run))
from tensorboard import context
scalars = provider.list_scalars(context.RequestContext(), experiment_id="", plugin_name="scalars")
assert set(scalars["."]) == {"Loss/train", "Loss/new"} and "hparam/acc" in scalars["run"], scalars
blobs = provider.list_blob_sequences(context.RequestContext(), experiment_id="", plugin_name="images")
assert {"image", "images", "boxes", "figure/svg", "figure/rgb"} <= set(blobs["."]), blobs
graphs = provider.list_blob_sequences(context.RequestContext(), experiment_id="", plugin_name="graphs")
assert graphs["."], graphs
tensors = provider.list_tensors(context.RequestContext(), experiment_id="", plugin_name="histograms")
assert set(tensors["."]) == {"weights", "weights/auto"}, tensors
print("TensorBoard reads all of it:", ", ".join(f"{len(v)} {k}" for k, v in tags.items() if isinstance(v, list) and v), "and a graph of", len(names), "nodes")
