"""Fine-tune a 7B model with LoRA. The learning rate is that of another recipe, and one keyword is misspelt."""

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

MODEL = "meta-llama/Llama-2-7b-hf"
GPUS, BATCH = 8, 4
lr = 2e-3

args = SFTConfig(
    output_dir="out",
    per_device_train_batch_size=BATCH,
    gradient_accumulation_steps=128 // (GPUS * BATCH),
    learning_rate=lr,
    warmup_steps=50,
    num_train_epochs=3,
    max_length=2048,
    gradient_checkpoint=True,
)
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.bfloat16),
    args=args,
    train_dataset=load_dataset("trl-lib/Capybara", split="train"),
    peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"),
)
trainer.train()
