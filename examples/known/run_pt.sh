#!/bin/bash
# An old recipe, kept as it was published.
lr=2e-5
torchrun --nproc_per_node 1 run_clm_pt_with_peft.py \
    --model_name_or_path hfl/chinese-llama-2-7b \
    --tokenizer_name_or_path hfl/chinese-llama-2-7b \
    --dataset_dir data \
    --do_train \
    --bf16 \
    --block_size 48 \
    --per_device_train_batch_size 1 \
    --gradient_accumulation_steps 1 \
    --learning_rate ${lr} \
    --max_grad_norm 1.0 \
    --lora_rank 8 \
    --lora_alpha 16 \
    --output_dir output
