"""What world, student and adversarial training need before step 1, made in named stages with plain data between them.

``select_clips`` -> ``starting_pipeline`` -> ``encode_clips`` -> ``generate_histories``. The costly stages (pretraining
of the text encoder, latents, histories of rollouts) keep their results on disk. A later run with the same config finds
them there, and a stage that was stopped goes on from its last finished part.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldgen.core.errors import InputError
from worldgen.core.progress import LogLine
from worldgen.models.native.adapters import check_targets
from worldgen.models.native.codec import PatchCodec
from worldgen.models.native.loading import load_pipeline
from worldgen.models.native.pipeline import WorldPipeline
from worldgen.training.data.clips import ClipPlace, Clips, evenly_spaced
from worldgen.training.data.latent_cache import LatentCache
from worldgen.training.data.latent_encoding import cached_latents
from worldgen.training.data.rollout_history import RolloutHistory, rollout_histories
from worldgen.training.data.windows import mirror_text
from worldgen.training.launch import PreparationContext
from worldgen.training.tasks.initial import new_pipeline
from worldgen.training.tasks.text_pretraining import kept_text_encoder, pretrain_once
from worldgen.training.train_config import DataConfig, TrainConfig, output_folder


@dataclass(frozen=True)
class SelectedClips:
    """The clips of a run that are long enough for one window: those of split train, and those held out (split val)."""

    clips: Clips
    training: list[ClipPlace]
    held_out: list[ClipPlace]

    @property
    def captions(self) -> list[str]:
        """Captions of the training clips; "" for a clip without one."""
        return [self.clips.row(place)["caption"] for place in self.training]


@dataclass(frozen=True)
class EncodedClips:
    """Latents of the selected clips.

    chosen: numbers of the training clips in the cache, each as often as it counts in one epoch. held_out: numbers of
    the clips on which validation measures.
    """

    cache: LatentCache
    chosen: list[int]
    held_out: list[int]


@dataclass(frozen=True, eq=False)
class PreparedWorld:
    """Everything a world, student or adversarial task starts from. kept: what lies on disk -> where."""

    pipeline: WorldPipeline
    encoded: EncodedClips
    rollout_history: RolloutHistory | None
    kept: dict[str, Path]


def prepare_world(config: TrainConfig, context: PreparationContext) -> PreparedWorld:
    """Run all stages for ``task=world`` and ``task=student``."""
    selected = select_clips(config.data, context.launch.log)
    pipeline = starting_pipeline(config, selected.captions, context)
    return prepare_examples(config, selected, pipeline, context)


def prepare_examples(
    config: TrainConfig, selected: SelectedClips, pipeline: WorldPipeline, context: PreparationContext
) -> PreparedWorld:
    """The stages that make training examples of clips with the networks of ``pipeline``."""
    encoded = encode_clips(config, selected, pipeline.codec, context)
    rollout_history = generate_histories(config, encoded, pipeline, context)
    kept = {"latents": encoded.cache.folder}
    if not config.init.pipeline and config.text_captions:
        kept["text_encoder"] = kept_text_encoder(config)
    if rollout_history is not None:
        kept["rollout_histories"] = rollout_history.path.parent
    return PreparedWorld(pipeline, encoded, rollout_history, kept)


def select_clips(config: DataConfig, log: LogLine) -> SelectedClips:
    """The clips that hold a training window; says how many are too short.

    Raises:
        InputError: when there is no training clip.
    """
    clips = Clips(config)
    least = (config.num_frames - 1) * min(config.strides) + 1
    selected = SelectedClips(clips, clips.training(least_frames=least), clips.places("val", least_frames=least))
    for split in ("train", "val"):
        short = len(clips.places(split)) - len(clips.places(split, least_frames=least))
        if short and not config.max_clips:
            log(f"{short} clips of split {split} have fewer than {least} frames and are left out")
    if not selected.held_out:
        log("no clips of split val are long enough: nothing is measured on held-out clips")
    return selected


def starting_pipeline(config: TrainConfig, captions: list[str], context: PreparationContext) -> WorldPipeline:
    """The pipeline that training starts from, on the device of training.

    It is that of ``init.pipeline``, or a new one around a trained codec, whose text encoder is pretrained where
    ``text_captions`` asks for it.

    Raises:
        InputError: when the weights cannot be used, or an adapter target matches no layer.
    """
    if config.init.pipeline:
        if config.init.codec:
            raise InputError(
                "init.codec", config.init.codec, "nothing: init.pipeline brings the codec it was trained with"
            )
        pipeline = load_pipeline(config.init.pipeline)
    else:
        words = captions + [mirror_text(caption) for caption in captions]
        pipeline = new_pipeline(config.size, config.seed, words=words, codec=config.init.codec)
        if config.text_captions:
            pretrain_once(pipeline.text_encoder, pipeline.tokenizer, config=config, context=context)
    if config.adapter.kind == "lora":
        check_targets(pipeline.transformer, config.adapter.targets)  # before hours of encoding, not after
    pipeline.to(context.accelerator.device)
    pipeline.codec.eval()
    return pipeline


def encode_clips(
    config: TrainConfig, selected: SelectedClips, codec: PatchCodec, context: PreparationContext
) -> EncodedClips:
    """Encode the clips into the cache of the run, or find them there."""
    folder = Path(config.data.cache).expanduser() if config.data.cache else output_folder(config) / "latents"
    places = selected.training + selected.held_out
    cache = cached_latents(folder, selected.clips, places, codec=codec, context=context)
    number = {place: i for i, place in enumerate(selected.training)}
    chosen = [number[place] for place in selected.clips.repeated(selected.training)]
    held_out = evenly_spaced(range(len(selected.training), len(cache)), config.validate_clips)
    return EncodedClips(cache, chosen, held_out)


def generate_histories(
    config: TrainConfig, encoded: EncodedClips, pipeline: WorldPipeline, context: PreparationContext
) -> RolloutHistory | None:
    """Histories of rollouts by the networks of ``pipeline``; None where ``flow.rollout_history`` is 0."""
    if not config.flow.rollout_history:
        return None
    return rollout_histories(
        output_folder(config) / "rolled",
        encoded.cache,
        encoded.chosen,
        pipeline,
        from_noise=config.flow.from_noise,
        batch=config.batch,
        context=context,
    )
