#!/bin/bash
# A trial run that is small on purpose.
# trainlint: ignore-file[monitoring/*] nobody keeps this model

lr=2e-5  # trainlint: ignore[schedule/no-warmpu] the run ends before a warmup would

# trainlint: ignore[batch/tiny-step, context/block-too-short] 先跑通流程
torchrun --nproc_per_node 1 run_clm_pt_with_peft.py \
    --model_name_or_path hfl/chinese-llama-2-7b \
    --tokenizer_name_or_path hfl/chinese-llama-2-7b \
    --dataset_dir data \
    --do_train \
    --bf16 \
    --block_size 64 \
    --per_device_train_batch_size 1 \
    --gradient_accumulation_steps 1 \
    --learning_rate ${lr} \
    --max_grad_norm 1.0 \
    --lora_rank 8 \
    --lora_alpha 16 \
    --output_dir output  # trainlint: ignore[lora/rank-high] copied from the real run
