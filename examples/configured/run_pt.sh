#!/usr/bin/env bash
torchrun --nproc_per_node 4 run_clm_pt_with_peft.py \
    --model_name_or_path meta-llama/Llama-2-7b-hf \
    --dataset_dir data/pt \
    --per_device_train_batch_size 2 \
    --gradient_accumulation_steps 2 \
    --block_size 512 \
    --do_train \
    --bf16 \
    --num_train_epochs 1 \
    --learning_rate 2e-4 \
    --lr_scheduler_type cosine \
    --warmup_ratio 0.05 \
    --lora_rank 64 \
    --lora_alpha 128 \
    --trainable "q_proj,v_proj,k_proj,o_proj,gate_proj,down_proj,up_proj" \
    --output_dir out
