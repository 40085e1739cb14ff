"""ResNet-18 learns two classes of drawn pictures: what examples/transfer_learning.rs prints.

python transfer_learning.py LR SEED SIZE PICTURES EPOCHS STEPS [THREADS]

Mirrors PyTorch's tutorial "Transfer learning for computer vision", in float64: in float32 an untrained ResNet-18's losses are
chaotic, and differ in the third digit after a few steps between PyTorch's own kernels (with oneDNN and without).
"""
import os
import sys
from itertools import islice
from tempfile import TemporaryDirectory

import torch
from torch import nn, optim
from torch.optim import lr_scheduler
from torchvision import datasets, models, transforms

from pictures import Numbers, one_shape


def draw(folder, numbers, pictures):
    for part, count in [("train", pictures), ("val", pictures // 2)]:
        for name, shape in [("discs", "disc"), ("squares", "square")]:
            os.makedirs(f"{folder}/{part}/{name}")
            for i in range(count):
                one_shape(numbers, 96, shape, i % 2 == 0).save(f"{folder}/{part}/{name}/{i:03}.png")


def train_model(model, criterion, optimizer, scheduler, num_epochs, steps):
    with TemporaryDirectory() as folder:
        best_model_params_path = os.path.join(folder, "best_model_params.pt")
        torch.save(model.state_dict(), best_model_params_path)
        best_acc = 0.0
        for epoch in range(num_epochs):
            print(f"Epoch {epoch}/{num_epochs - 1}")
            print("-" * 10)
            for phase in ["train", "val"]:
                if phase == "train":
                    model.train()
                else:
                    model.eval()
                running_loss, running_corrects, count = 0.0, 0, 0
                batches = islice(dataloaders[phase], steps) if phase == "train" else dataloaders[phase]
                for i, (inputs, labels) in enumerate(batches):
                    optimizer.zero_grad()
                    with torch.set_grad_enabled(phase == "train"):
                        outputs = model(inputs.double())
                        _, preds = torch.max(outputs, 1)
                        loss = criterion(outputs, labels)
                        if phase == "train":
                            loss.backward()
                            optimizer.step()
                            n = len(image_datasets[phase])
                            print(f"Train Epoch: {epoch + 1} [{i * 4}/{n}]\tLoss: {loss.item():.7f}")
                    running_loss += loss.item() * inputs.size(0)
                    running_corrects += torch.sum(preds == labels.data).item()
                    count += inputs.size(0)
                if phase == "train":
                    scheduler.step()
                epoch_loss = running_loss / count
                epoch_acc = running_corrects / count
                print(f"{phase} Loss: {epoch_loss:.4f} Acc: {epoch_acc:.4f}")
                if phase == "val" and epoch_acc > best_acc:
                    best_acc = epoch_acc
                    torch.save(model.state_dict(), best_model_params_path)
            print()
        print(f"Best val Acc: {best_acc:4f}")
        model.load_state_dict(torch.load(best_model_params_path, weights_only=True))
    return model


def score(model):
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with torch.no_grad():
        for inputs, labels in dataloaders["val"]:
            outputs = model(inputs.double())
            loss += criterion(outputs, labels).item() * inputs.size(0)
            correct += torch.sum(outputs.argmax(1) == labels).item()
            count += inputs.size(0)
    print(f"best weights: val Loss: {loss / count:.4f} Acc: {correct / count:.4f}")


lr = float(sys.argv[1])
seed, size, pictures, epochs, steps = map(int, sys.argv[2:7])
torch.set_num_threads(int(sys.argv[7]) if len(sys.argv) > 7 else 1)
folder = TemporaryDirectory()
draw(folder.name, Numbers(seed), pictures)
torch.manual_seed(seed)
data_transforms = {
    "train": transforms.Compose([
        transforms.RandomResizedCrop(size),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]),
    "val": transforms.Compose([
        transforms.Resize(size * 8 // 7),
        transforms.CenterCrop(size),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]),
}
image_datasets = {x: datasets.ImageFolder(os.path.join(folder.name, x), data_transforms[x]) for x in ["train", "val"]}
dataloaders = {
    x: torch.utils.data.DataLoader(image_datasets[x], batch_size=4, shuffle=True, num_workers=0)
    for x in ["train", "val"]
}
class_names = image_datasets["train"].classes
print(f"{len(image_datasets['train'])} pictures to learn from, {len(image_datasets['val'])} to validate: "
      f"{', '.join(class_names)}")
criterion = nn.CrossEntropyLoss()

print("Finetuning the network")
model_ft = models.resnet18(weights=None)
num_ftrs = model_ft.fc.in_features
model_ft.fc = nn.Linear(num_ftrs, len(class_names))
model_ft = model_ft.double()
optimizer_ft = optim.SGD(model_ft.parameters(), lr=lr, momentum=0.9)
exp_lr_scheduler = lr_scheduler.StepLR(optimizer_ft, step_size=7, gamma=0.1)
model_ft = train_model(model_ft, criterion, optimizer_ft, exp_lr_scheduler, epochs, steps)
score(model_ft)

print("The network as fixed feature extractor")
model_conv = models.resnet18(weights=None)
for param in model_conv.parameters():
    param.requires_grad = False
num_ftrs = model_conv.fc.in_features
model_conv.fc = nn.Linear(num_ftrs, len(class_names))
model_conv = model_conv.double()
optimizer_conv = optim.SGD(model_conv.fc.parameters(), lr=lr, momentum=0.9)
exp_lr_scheduler = lr_scheduler.StepLR(optimizer_conv, step_size=7, gamma=0.1)
model_conv = train_model(model_conv, criterion, optimizer_conv, exp_lr_scheduler, epochs, steps)
score(model_conv)
