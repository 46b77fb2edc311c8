torchrun --nproc_per_node 2 train.py \
    --lr 1e-4 \
    --batch_size 8 \
    --scheduler step
