"""A picture three times as large: what examples/super_resolution.rs prints.

python super_resolution.py SEED CROP PICTURES EPOCHS STEPS [THREADS]

Mirrors pytorch/examples' super_resolution.
"""
import sys
from itertools import islice
from math import log10

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.nn import init
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import CenterCrop, Compose, Resize, ToTensor

from pictures import Numbers, scene

UPSCALE_FACTOR, SIDE = 3, 256


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 64, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(64, 64, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(64, 32, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(32, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        self._initialize_weights()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        x = self.pixel_shuffle(self.conv4(x))
        return x

    def _initialize_weights(self):
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv4.weight)


class DatasetFromImages(Dataset):
    def __init__(self, images, input_transform, target_transform):
        self.images, self.input_transform, self.target_transform = images, input_transform, target_transform

    def __getitem__(self, index):
        image = self.images[index].convert("L")
        return self.input_transform(image), self.target_transform(image)

    def __len__(self):
        return len(self.images)


seed, crop, pictures, epochs, steps = map(int, sys.argv[1:6])
torch.set_num_threads(int(sys.argv[6]) if len(sys.argv) > 6 else 1)
crop_size = crop - crop % UPSCALE_FACTOR
input_transform = Compose([CenterCrop(crop_size), Resize(crop_size // UPSCALE_FACTOR), ToTensor()])
target_transform = Compose([CenterCrop(crop_size), ToTensor()])
numbers = Numbers(seed)
train_set, test_set = (
    DatasetFromImages([scene(numbers, SIDE) for _ in range(count)], input_transform, target_transform)
    for count in [pictures, pictures // 4]
)
torch.manual_seed(seed)
training_data_loader = DataLoader(dataset=train_set, batch_size=4, shuffle=True)
testing_data_loader = DataLoader(dataset=test_set, batch_size=10, shuffle=False)
model = Net(upscale_factor=UPSCALE_FACTOR)
print(model)
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.001)


def train(epoch):
    epoch_loss, count = 0, 0
    for iteration, (input, target) in enumerate(islice(training_data_loader, steps), 1):
        optimizer.zero_grad()
        loss = criterion(model(input), target)
        epoch_loss, count = epoch_loss + loss.item(), count + 1
        loss.backward()
        optimizer.step()
        n = len(train_set)
        print(f"Train Epoch: {epoch} [{(iteration - 1) * 4}/{n}]\tLoss: {loss.item():.7f}")
    print(f"===> Epoch {epoch} Complete: Avg. Loss: {epoch_loss / count:.4f}")


def test(name, enlarge):
    avg_psnr = 0
    with torch.no_grad():
        for input, target in testing_data_loader:
            mse = criterion(enlarge(input), target)
            avg_psnr += 10 * log10(1 / mse.item())
    print(f"===> Avg. PSNR of {name}: {avg_psnr / len(testing_data_loader):.4f} dB")


def bicubic(x):
    return F.interpolate(x, scale_factor=UPSCALE_FACTOR, mode="bicubic", align_corners=False).clamp(0, 1)


test("bicubic interpolation", bicubic)
for epoch in range(1, epochs + 1):
    train(epoch)
    test("the network", model)
