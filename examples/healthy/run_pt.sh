#!/bin/bash
# Continued pre-training with the settings that Chinese-LLaMA-Alpaca-2 publishes, on a large corpus kept elsewhere.
lr=2e-4
lora_rank=64
lora_alpha=128
lora_trainable="q_proj,v_proj,k_proj,o_proj,gate_proj,down_proj,up_proj"
modules_to_save="embed_tokens,lm_head"
lora_dropout=0.05

pretrained_model=meta-llama/Llama-2-7b-hf
chinese_tokenizer_path=hfl/chinese-llama-2-7b
dataset_dir=/data/chinese_corpus_20gb
data_cache=cache
per_device_train_batch_size=1
gradient_accumulation_steps=8
block_size=512
output_dir=output

deepspeed_config_file=ds_zero2_no_offload.json

torchrun --nnodes 1 --nproc_per_node 1 run_clm_pt_with_peft.py \
    --deepspeed ${deepspeed_config_file} \
    --model_name_or_path ${pretrained_model} \
    --tokenizer_name_or_path ${chinese_tokenizer_path} \
    --dataset_dir ${dataset_dir} \
    --data_cache_dir ${data_cache} \
    --per_device_train_batch_size ${per_device_train_batch_size} \
    --gradient_accumulation_steps ${gradient_accumulation_steps} \
    --validation_split_percentage 0.001 \
    --do_train \
    --do_eval \
    --eval_strategy steps \
    --eval_steps 500 \
    --fp16 \
    --torch_dtype float16 \
    --seed 42 \
    --num_train_epochs 1 \
    --lr_scheduler_type cosine \
    --learning_rate ${lr} \
    --warmup_ratio 0.05 \
    --weight_decay 0.01 \
    --max_grad_norm 1.0 \
    --logging_strategy steps \
    --logging_steps 10 \
    --save_strategy steps \
    --save_steps 200 \
    --preprocessing_num_workers 8 \
    --block_size ${block_size} \
    --output_dir ${output_dir} \
    --lora_rank ${lora_rank} \
    --lora_alpha ${lora_alpha} \
    --trainable ${lora_trainable} \
    --lora_dropout ${lora_dropout} \
    --modules_to_save ${modules_to_save} \
    --gradient_checkpointing
