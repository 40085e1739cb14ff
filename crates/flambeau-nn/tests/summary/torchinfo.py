"""Writes torchinfo.txt: what torchinfo 1.8.0 prints of the models of main.rs, with PyTorch 2.15 and Python 3.11. Run from here: python torchinfo.py > torchinfo.txt"""
import torch
from torch import nn
from torchinfo import summary
torch.set_num_threads(1)
class LeNet(nn.Module):
    def __init__(s):
        super().__init__()
        s.conv1=nn.Conv2d(1,6,5,padding=2); s.pool=nn.MaxPool2d(2); s.conv2=nn.Conv2d(6,16,5); s.fc1=nn.Linear(400,120); s.drop=nn.Dropout(0.5); s.fc2=nn.Linear(120,10)
    def forward(s,x):
        x=s.pool(s.conv1(x).relu()); x=s.pool(s.conv2(x).relu()); return s.fc2(s.drop(s.fc1(x.flatten(1)).relu()))
class Block(nn.Module):
    def __init__(s,i,o,stride=1):
        super().__init__()
        s.conv1=nn.Conv2d(i,o,3,stride,1,bias=False); s.bn1=nn.BatchNorm2d(o); s.relu=nn.ReLU(); s.conv2=nn.Conv2d(o,o,3,1,1,bias=False); s.bn2=nn.BatchNorm2d(o)
        s.downsample=nn.Sequential(nn.Conv2d(i,o,1,stride,bias=False),nn.BatchNorm2d(o)) if stride!=1 or i!=o else None
    def forward(s,x):
        y=s.bn2(s.conv2(s.relu(s.bn1(s.conv1(x)))))
        return s.relu(y+(s.downsample(x) if s.downsample is not None else x))
class ResNet(nn.Module):
    def __init__(s):
        super().__init__()
        s.stem=nn.Conv2d(3,8,3,1,1); s.layer1=nn.Sequential(Block(8,8),Block(8,8)); s.layer2=nn.Sequential(Block(8,16,2),Block(16,16)); s.pool=nn.AdaptiveAvgPool2d(1); s.fc=nn.Linear(16,10)
        s.scale=nn.Parameter(torch.ones(10))
    def forward(s,x):
        x=s.layer2(s.layer1(s.stem(x))); return s.fc(s.pool(x).flatten(1))*s.scale
class Listed(nn.Module):
    def __init__(s):
        super().__init__()
        s.layers=nn.ModuleList([nn.Linear(4,4) for _ in range(3)]); s.act=nn.Tanh(); s.head=nn.ModuleDict({"a":nn.Sequential(nn.Linear(4,2),nn.ReLU())})
    def forward(s,x):
        for l in s.layers: x=s.act(l(x))
        return s.head["a"](x)
def show(tag,*a,**k):
    print(f"### {tag}"); print(summary(*a,verbose=k.pop("v",0),**k))
mlp=nn.Sequential(nn.Flatten(),nn.Linear(784,128),nn.ReLU(),nn.Linear(128,10))
show("mlp",mlp,(16,1,28,28))
show("lenet",LeNet(),(4,1,28,28))
show("lenet_cols",LeNet(),(4,1,28,28),col_names=("kernel_size","input_size","output_size","num_params","params_percent","mult_adds","trainable"),col_width=18,row_settings=("var_names","depth"))
r=ResNet(); r.stem.requires_grad_(False)
show("resnet",r,(2,3,16,16))
show("resnet_depth1",r,(2,3,16,16),depth=1,col_names=("output_size","num_params","mult_adds","trainable"))
show("resnet_noinput",r)
show("listed",Listed(),(5,4),row_settings=("var_names",))
show("listed_ascii",Listed(),(5,4),row_settings=("ascii_only","depth","hide_recursive_layers"))
import io,contextlib
b=io.StringIO()
with contextlib.redirect_stdout(b): summary(LeNet(),(4,1,28,28),verbose=2,col_names=("kernel_size","num_params"))
print("### lenet_verbose"); print(b.getvalue(),end="")
bi=nn.Bilinear(3,4,5)
show("bilinear",bi,[(2,3),(2,4)])
show("data",nn.Embedding(10,4),input_data=torch.zeros(2,3,dtype=torch.long))
