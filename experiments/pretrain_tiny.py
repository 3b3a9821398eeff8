"""`python -m experiments.pretrain_tiny`, the training of experiments/tiny_model/pretrain.py."""

from experiments.tiny_model.pretrain import main

if __name__ == "__main__":
    main()
