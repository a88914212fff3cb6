#!/usr/bin/env bash
# What there is to know about vitpatch on an NVIDIA GPU, in one run of under eight minutes: is it right, how fast is it,
# how fast is PyTorch beside it?
#
# Runs on a bare machine: bash, a driver, Python with PyTorch and transformers. It expects this file in a folder with
# the unpacked bundle (`make bundle`: vitpatch and libOpenCL.so.1) and cifar/, CIFAR-10's binary version or part of it.
# Text and JSON of each step go to $OUT (default: ./gpu-check), and in the end into all.tar.gz there.
#
#   bash gpu-check.sh [STEP ...]    only these steps, e.g. to go on where a run was cut off
#
# OPENCL_LIB names the driver's OpenCL library where it is not found; on a CPU: OPENCL_LIB=libpocl.so.2.10.0.
# IMAGES (default 1000) is the number of images in the sweeps.
set -u
cd "$(dirname "$0")"
here=$PWD
V=$here/vitpatch
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: "${OUT:=$here/gpu-check}"
: "${IMAGES:=1000}"
mkdir -p "$OUT"
export XDG_CACHE_HOME=$work/cache PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
wanted=" $* "

# step NAME SECONDS LINES COMMAND...: runs it, keeps its output, shows the last lines
step() {
    local name=$1 limit=$2 lines=$3 start=$SECONDS
    shift 3
    [ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]] || return 0
    timeout "$limit" "$@" > "$OUT/$name.txt" 2>&1
    echo "== $name: exit $? after $((SECONDS - start)) s"
    tail -n "$lines" "$OUT/$name.txt"
}

command -v nvidia-smi > /dev/null \
    && nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit,memory.total --format=csv

# The driver's OpenCL library is among the driver's files, never in the CUDA toolkit.
lib=${OPENCL_LIB:-$({
    ldconfig -p | sed -n 's/.*libnvidia-opencl.so.1 .*=> //p'
    find /usr/local/nvidia /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib /opt /run/nvidia -name 'libnvidia-opencl.so*' \
        2> /dev/null
} | head -1)}
if [ -z "$lib" ]; then
    echo "no libnvidia-opencl.so.1: this driver came without OpenCL"
    exit 3
fi
mkdir -p "$work/vendors"
echo "$lib" > "$work/vendors/gpu.icd"
export OCL_ICD_VENDORS=$work/vendors LD_LIBRARY_PATH=$here:$(dirname "$lib"):${LD_LIBRARY_PATH:-}

step devices 30 4 "$V" devices
grep -q 'GPU' "$OUT/devices.txt" || [ -n "${OPENCL_LIB:-}" ] || exit 4
step verify 150 3 "$V" verify
# Hopper's own instructions, which are used only where they are asked for by name
for p in bf16x3 bf16 fp16 fp16x3; do
    step "wgmma-$p" 40 2 "$V" verify --only gemm --gemm wgmma --precision "$p"
done

# A ViT-B/16 with ten classes, and the ways PyTorch does the same work.
cat > "$work/model.py" << 'P'
import sys, torch
from transformers import ViTConfig, ViTForImageClassification
torch.manual_seed(0)
names = open("cifar/batches.meta.txt").read().split()
labels = {name: i for i, name in enumerate(names)}
config = ViTConfig(id2label=dict(enumerate(names)), label2id=labels, initializer_range=0.05)
ViTForImageClassification(config).save_pretrained(sys.argv[1])
P
if timeout 60 python3 "$work/model.py" "$work/model" > "$OUT/model.txt" 2>&1; then
    echo '{"image_processor_type":"ViTImageProcessor","do_resize":true,"size":{"height":224,"width":224},"resample":2,
"do_rescale":true,"rescale_factor":0.00392156862745098,
"do_normalize":true,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}' > "$work/model/preprocessor_config.json"
else
    echo "no ViT-B/16 without PyTorch and transformers ($(tail -n 1 "$OUT/model.txt")); vit/ stands for it"
    ln -s "$here/vit" "$work/model"
fi

cat > "$work/parity.py" << 'P'
import csv, sys, numpy as np, torch
from PIL import Image
from transformers import ViTForImageClassification
folder, text = sys.argv[1:3]
rows = list(csv.reader(open(text)))[1:]
records = np.fromfile("cifar/test_batch.bin", np.uint8).reshape(-1, 3073)[:len(rows), 1:]
pictures = records.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
pixels = np.stack([np.asarray(Image.fromarray(i).resize((224, 224), Image.BILINEAR), dtype=np.float32) / 255
                   for i in pictures])
x = torch.from_numpy((pixels - 0.5) / 0.5).permute(0, 3, 1, 2).contiguous().cuda()
model = ViTForImageClassification.from_pretrained(folder).eval().cuda().double()
with torch.no_grad():
    wanted = torch.cat([model(part.double()).logits for part in x.split(64)])
got = torch.tensor([[float(v) for v in row[-10:]] for row in rows], dtype=torch.float64, device="cuda")
p = (wanted.softmax(1) - got.softmax(1)).abs().max().item()
same = (got.argmax(1) == wanted.argmax(1)).double().mean().item()
print(f"{len(rows)} pictures beside PyTorch in float64: logits within {(got - wanted).abs().max():.1e} of "
      f"{wanted.abs().max():.1f}, probabilities within {p:.1e}, same class {same:.4f}")
P
cat > "$work/peer.py" << 'P'
import sys, time, torch
from transformers import ViTForImageClassification
torch.set_grad_enabled(False)
model = ViTForImageClassification.from_pretrained(sys.argv[1], attn_implementation="sdpa").eval().cuda()
blocks = [m for m in model.modules() if type(m).__name__ == "ViTAttention"]
assert len(blocks) == 12
BATCH = 250
clean = torch.randn(BATCH, 3, 224, 224, device="cuda")
gray = clean.mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
both = torch.cat([clean, gray])
windows = [[l for l in (c - 1, c, c + 1) if 0 <= l < 12] for c in range(12)]

def seconds(run):
    run(); torch.cuda.synchronize()
    times, start = [], time.perf_counter()
    while len(times) < 2 or time.perf_counter() - start < 1:
        t = time.perf_counter(); run(); torch.cuda.synchronize(); times.append(time.perf_counter() - t)
    return sorted(times)[len(times) // 2]

def put(output, value):
    return (value,) + tuple(output[1:]) if isinstance(output, tuple) else value

def first(output):
    return output[0] if isinstance(output, tuple) else output

def original():  # clean and corrupted images in one batch, a batch for each window
    def hook(module, args, output):
        y = first(output)
        y[BATCH:] = y[:BATCH]
        return put(output, y)
    for window in windows:
        hooks = [blocks[l].register_forward_hook(hook) for l in window]
        model(both)
        [h.remove() for h in hooks]

def cached():  # the clean pass's outputs are kept; then a pass of the corrupted images for each window
    kept = {}
    hooks = [b.register_forward_hook(lambda m, a, o, l=l: kept.__setitem__(l, first(o))) for l, b in enumerate(blocks)]
    model(clean)
    [h.remove() for h in hooks]
    model(gray)
    for window in windows:
        hooks = [blocks[l].register_forward_hook(lambda m, a, o, l=l: put(o, kept[l])) for l in window]
        model(gray)
        [h.remove() for h in hooks]

for name in ("fp32", "tf32", "bf16"):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = name == "tf32"
    with torch.autocast("cuda", torch.bfloat16, enabled=name == "bf16"):
        forward = seconds(lambda: model(clean))
        print(f"PyTorch {name}: forward {BATCH / forward:.0f} images/s; 12 windows of 1000 images: original way "
              f"{1000 / BATCH * seconds(original):.2f} s, cached {1000 / BATCH * seconds(cached):.2f} s; "
              f"144 heads at 146 passes an image: {146000 / BATCH * forward:.1f} s", flush=True)
P

cat > "$work/resolution.py" << 'P'
import csv, sys
def column(path):
    with open(path, newline="") as file:
        return [float(row["p_patched"]) for row in csv.DictReader(file)]
wanted = column(f"{sys.argv[1]}/fp32.csv")
for precision in sys.argv[2:]:
    moved = [abs(a - b) for a, b in zip(wanted, column(f"{sys.argv[1]}/{precision}.csv"))]
    moved.sort()
    print(f"{precision}: {len(moved)} passes beside fp32: p moved by {moved[-1]:.1e} at most, "
          f"{moved[len(moved) // 2]:.1e} in the median, {sum(moved) / len(moved):.1e} on average")
P

precisions=$("$V" classify --model "$work/model" --data cifar --limit 1 --precision bf16 > /dev/null 2>&1 \
    && echo fp32 bf16x3 fp16x3 tf32 fp16 bf16 || echo fp32)
fast=${precisions#fp32 }
fast=${fast%% *}

wgmma=$(grep -l '^all' "$OUT"/wgmma-bf16x3.txt 2> /dev/null)

sweep() { # NAME PRECISION OPTIONS...: a sweep whose time is printed
    local name=$1 p=$2
    shift 2
    step "$name-$p" 100 8 bash -c "time '$V' sweep --model '$work/model' --data cifar --limit $IMAGES --corruption \
        grayscale --precision $p --out '$work/$name-$p' --profile '$work/$name-$p.json' $* 2>&1 \
        | grep -E 'busy|passes|Error|GEMM|gemm|attention_online'"
}
for p in fp32 $([ "$fast" = fp32 ] || echo bf16x3 bf16); do
    sweep windows "$p" --site attn_out --window 3
    step "parity-$p" 60 2 bash -c "'$V' classify --model '$work/model' --data cifar --limit 256 --precision $p \
        > '$work/logits-$p.csv' && python3 '$work/parity.py' '$work/model' '$work/logits-$p.csv'"
done
sweep heads "$fast" --site z
if [ -n "$wgmma" ]; then
    sweep wgmma-windows bf16x3 --gemm wgmma --site attn_out --window 3
    sweep wgmma-windows bf16 --gemm wgmma --site attn_out --window 3
    sweep wgmma-heads bf16x3 --gemm wgmma --site z
    step parity-wgmma 60 2 bash -c "'$V' classify --model '$work/model' --data cifar --limit 256 --precision bf16x3 \
        --gemm wgmma > '$work/logits-w.csv' && python3 '$work/parity.py' '$work/model' '$work/logits-w.csv'"
    for p in bf16x3 bf16 fp16 fp16x3; do
        step "gemm-wgmma-$p" 30 4 "$V" bench --model vit-b --images 166 --seconds 0.1 --only gemm --alone --gemm wgmma \
            --precision "$p" --json "$OUT/gemm-wgmma-$p.json"
    done
    step pass-wgmma 30 1 "$V" bench --model vit-b --images 64 --seconds 0.3 --only pass --alone --gemm wgmma \
        --precision bf16x3 --json "$OUT/pass-wgmma.json"
fi
# The backward pass: every head and output by token at once, and how well estimates agree with exact effects
sweep estimates fp32 --site z --site mlp_out --tokens each --estimate atp --exact none
if [ -d vit ]; then
    step agreement 60 16 bash -c "'$V' sweep --model vit --data cifar --limit 200 --corruption grayscale --site z \
        --site attn_out --site mlp_out --estimate atp --out '$work/agreement' > /dev/null && '$V' summary '$work/agreement'"
fi
step torch 100 20 python3 "$work/peer.py" "$work/model"
# How far each precision moves probabilities, on a small trained model where there is one
if [ -d vit ] && [ "$fast" != fp32 ]; then
    for p in $precisions; do
        "$V" sweep --model vit --data cifar --limit "$IMAGES" --site z --site attn_out --precision "$p" \
            --out "$work/small-$p" > /dev/null 2>&1
        "$V" export "$work/small-$p" --format csv --to "$work/$p.csv" 2> /dev/null
    done
    step resolution 60 6 python3 "$work/resolution.py" "$work" $precisions
fi
for p in $precisions; do
    step "gemm-$p" 30 4 "$V" bench --model vit-b --images 166 --seconds 0.1 --only gemm --alone --precision "$p" \
        --json "$OUT/gemm-$p.json"
    step "pass-$p" 30 1 "$V" bench --model vit-b --images 64 --seconds 0.3 --only pass --alone --precision "$p" \
        --json "$OUT/pass-$p.json"
done
step kernels 60 14 "$V" bench --model vit-b --images 64 --seconds 0.1 --only kernel --alone --json "$OUT/kernels.json"
step tune 60 12 "$V" tune --seconds 0.02
rm -f "$OUT/model.txt"
(cd "$OUT" && tar -czf all.tar.gz -- *.txt *.json 2> /dev/null && rm -f -- *.txt *.json)
