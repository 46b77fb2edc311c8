#!/bin/bash
# Two slips that bash takes without a word: a blank behind a backslash, and a flag that stands twice.
torchrun --nproc_per_node 8 run_clm.py \
    --model_name_or_path Qwen/Qwen2.5-7B \
    --train_file data/train.jsonl \
    --do_train \
    --learning_rate 2e-5 \
    --num_train_epochs 1 \ 
    --per_device_train_batch_size 4 \
    --gradient_accumulation_steps 16 \
    --learning_rate 1e-5 \
    --warmup_ratio 0.03 \
    --bf16 \
    --output_dir output
