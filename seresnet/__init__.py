"""An SE-ResNet for CIFAR-10: network, data, augmentation, training, checkpoints, prediction."""
