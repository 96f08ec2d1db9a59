"""Families that continue a clip, with their real classes at tiny size, saved as published models are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.models.backbones.tiny_families import tokenizer, umt5, unipc, wan_codec


def wan_transformer(inputs: int, outputs: int) -> Any:
    """Two blocks of width 24. inputs, outputs: latent channels; inputs has mask and picture as well in the 14B form."""
    from diffusers import WanTransformer3DModel

    return WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=inputs, out_channels=outputs,
        text_dim=16, freq_dim=16, ffn_dim=32, num_layers=2, cross_attn_norm=True, rope_max_seq_len=64,
    ).eval()  # fmt: skip


def wan22_codec(channels: int = 4) -> Any:
    """The codec of Wan 2.2: 16 pixels and 4 frames to a latent cell."""
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(
        base_dim=4, decoder_base_dim=4, z_dim=channels, dim_mult=[1, 1, 1, 1], num_res_blocks=1, is_residual=True,
        temperal_downsample=[False, True, True], patch_size=2, in_channels=12, out_channels=12,
        scale_factor_spatial=16, scale_factor_temporal=4, latents_mean=[0.0] * channels, latents_std=[1.0] * channels,
    ).eval()  # fmt: skip


def save_wan_i2v(folder: Path, *, form: str, seed: int = 0) -> Path:
    """form: "5B" (one transformer, noise level per token) or "A14B" (two transformers)."""
    from diffusers import WanImageToVideoPipeline

    torch.manual_seed(seed)
    small = form == "5B"
    inputs = 4 if small else 4 + 4 + 4  # latents, and for A14B the mask and the latents of the picture
    WanImageToVideoPipeline(
        tokenizer=tokenizer(), text_encoder=umt5(), vae=wan22_codec() if small else wan_codec(),
        scheduler=unipc(5.0), transformer=wan_transformer(inputs, 4),
        transformer_2=None if small else wan_transformer(inputs, 4), boundary_ratio=None if small else 0.9,
        expand_timesteps=small,
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder


def ltx_codec() -> Any:
    """The codec of LTX-2: 32 pixels and 8 frames to a latent cell."""
    from diffusers import AutoencoderKLLTX2Video

    return AutoencoderKLLTX2Video(
        latent_channels=4, block_out_channels=(8, 16, 32, 64), decoder_block_out_channels=(8, 16, 32),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1), decoder_causal=False,
        spatial_compression_ratio=32, temporal_compression_ratio=8,
    ).eval()  # fmt: skip


def save_ltx2(folder: Path, *, seed: int = 0) -> Path:
    """LTX-2 as it is published, under the name of the pipeline without control. Two blocks of width 16."""
    from diffusers import (
        AutoencoderKLLTX2Audio,
        FlowMatchEulerDiscreteScheduler,
        LTX2Pipeline,
        LTX2VideoTransformer3DModel,
    )
    from diffusers.pipelines.ltx2 import LTX2TextConnectors
    from diffusers.pipelines.ltx2.vocoder import LTX2Vocoder
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    torch.manual_seed(seed)
    encoder = Gemma3ForConditionalGeneration(
        Gemma3Config(
            text_config={
                "vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
                "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 2048,
                "sliding_window": 64,
            },
            vision_config={
                "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                "image_size": 16, "patch_size": 8,
            },
            image_token_index=60, boi_token_index=61, eoi_token_index=62, mm_tokens_per_image=4,
        )
    ).eval()  # fmt: skip
    transformer = LTX2VideoTransformer3DModel(
        in_channels=4, out_channels=4, patch_size=1, patch_size_t=1, num_attention_heads=2, attention_head_dim=8,
        cross_attention_dim=16, audio_in_channels=4, audio_out_channels=4, audio_num_attention_heads=2,
        audio_attention_head_dim=4, audio_cross_attention_dim=8, num_layers=2, qk_norm="rms_norm_across_heads",
        caption_channels=16, rope_double_precision=False, rope_type="split",
    ).eval()  # fmt: skip
    connector = {"num_attention_heads": 4, "attention_head_dim": 4, "num_layers": 1, "num_learnable_registers": None}
    connectors = LTX2TextConnectors(
        caption_channels=16, text_proj_in_factor=3, connector_rope_base_seq_len=32, rope_theta=10000.0,
        rope_double_precision=False, causal_temporal_positioning=False, rope_type="split",
        **{f"{kind}_connector_{name}": value for kind in ("video", "audio") for name, value in connector.items()},
    ).eval()  # fmt: skip
    audio = AutoencoderKLLTX2Audio(
        base_channels=4, output_channels=2, ch_mult=(1,), num_res_blocks=1, attn_resolutions=None, in_channels=2,
        resolution=32, latent_channels=2, norm_type="pixel", causality_axis="height", dropout=0.0,
        mid_block_add_attention=False, sample_rate=16000, mel_hop_length=160, is_causal=True, mel_bins=8,
    ).eval()  # fmt: skip
    vocoder = LTX2Vocoder(
        in_channels=16, hidden_channels=32, out_channels=2, upsample_kernel_sizes=[4, 4], upsample_factors=[2, 2],
        resnet_kernel_sizes=[3], resnet_dilations=[[1, 3, 5]], leaky_relu_negative_slope=0.1,
        output_sampling_rate=16000,
    ).eval()  # fmt: skip
    LTX2Pipeline(
        transformer=transformer, vae=ltx_codec(), audio_vae=audio, scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=encoder, tokenizer=tokenizer(), connectors=connectors, vocoder=vocoder,
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder


def save_ltx2_lora(model_folder: Path, folder: Path, *, downscale: int = 0, seed: int = 0) -> Path:
    """A LoRA for the transformer of ``model_folder``, in the layout of published ones. downscale: its metadata."""
    from diffusers import LTX2InContextPipeline, LTX2VideoTransformer3DModel
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict
    from safetensors.torch import load_file, save_file

    torch.manual_seed(seed)
    transformer = LTX2VideoTransformer3DModel.from_pretrained(model_folder / "transformer")
    transformer.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v"]))
    LTX2InContextPipeline.save_lora_weights(
        folder, transformer_lora_layers=get_peft_model_state_dict(transformer), weight_name="control.safetensors"
    )
    if downscale:
        path = folder / "control.safetensors"
        save_file(load_file(path), path, metadata={"reference_downscale_factor": str(downscale)})
    return folder


def save_sana_wm(folder: Path, *, seed: int = 0) -> Path:
    """SANA-WM of two blocks of width 32."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SanaWMPipeline, SanaWMTransformer3DModel
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(seed)
    encoder = Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, head_dim=8, max_position_embeddings=2048,
        )
    ).eval()  # fmt: skip
    transformer = SanaWMTransformer3DModel(
        in_channels=4, num_layers=2, hidden_size=32, num_attention_heads=2, softmax_every_n=2, linear_head_dim=16,
        chunk_plucker_post_attn_blocks=2, caption_channels=16, mlp_ratio=2.0, mixed_precision="no",
    ).eval()  # fmt: skip
    for module in transformer.modules():  # parts that begin at zero would hide the camera
        for parameter in module.parameters(recurse=False):
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.2)
    SanaWMPipeline(
        tokenizer=tokenizer(), text_encoder=encoder, vae=ltx_codec(), transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder


def save_svd(folder: Path, *, seed: int = 0) -> Path:
    """Stable Video Diffusion with runs of 5 frames."""
    from diffusers import (
        AutoencoderKLTemporalDecoder,
        EulerDiscreteScheduler,
        StableVideoDiffusionPipeline,
        UNetSpatioTemporalConditionModel,
    )
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    unet = UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=32, in_channels=8, out_channels=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"), cross_attention_dim=32,
        num_attention_heads=2, projection_class_embeddings_input_dim=96, addition_time_embed_dim=32, num_frames=5,
    ).eval()  # fmt: skip
    codec = AutoencoderKLTemporalDecoder(
        block_out_channels=[32, 64], down_block_types=["DownEncoderBlock2D", "DownEncoderBlock2D"], latent_channels=4,
    ).eval()  # fmt: skip
    clip = CLIPVisionConfig(
        hidden_size=32, projection_dim=32, num_hidden_layers=1, num_attention_heads=2, image_size=224,
        intermediate_size=32, patch_size=32,
    )  # fmt: skip
    StableVideoDiffusionPipeline(
        unet=unet, image_encoder=CLIPVisionModelWithProjection(clip).eval(), vae=codec,
        scheduler=EulerDiscreteScheduler(
            prediction_type="v_prediction", timestep_type="continuous", timestep_spacing="leading",
            use_karras_sigmas=True, sigma_min=0.002, sigma_max=700.0, beta_schedule="scaled_linear",
        ),
        feature_extractor=CLIPImageProcessor(),
    ).save_pretrained(folder, safe_serialization=True)  # fmt: skip
    return folder
