#!/usr/bin/env bash
# All that is measured on one GPU, in under 8 minutes and without a download.
#   bash benchmarks/gpu.sh                   # 1.5B (Qwen2.5's shape) and 135M, random weights, bfloat16
#   bash benchmarks/gpu.sh --shape tiny      # the same programs at a tiny size, on any machine
# PYTHON names a Python that has this project and JAX for CUDA. Transformers runs beside it where that
# Python also has PyTorch for CUDA. Results lie in benchmarks/results.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
# Contestants share the GPU, and none may take all of its memory at the start.
export XLA_PYTHON_CLIENT_PREALLOCATE=false
began=$SECONDS

# part NAME SECONDS COMMAND...: one measurement; what fails or takes too long is named and left out.
part() {
  local name=$1 limit=$2
  shift 2
  echo "== $name"
  timeout "$limit" "$@" || echo "$name: no result (status $?)"
}

# can_run CHECK: whether Transformers is here, with a PyTorch of which CHECK holds.
can_run() { "$python" -c "import torch, transformers; assert $1" 2>/dev/null; }
contestants=ours

if [[ "${1:-} ${2:-}" == "--shape tiny" ]]; then
  small=(--prompts 2 --group 2 --prompt-length 16 --length 16 --micro-batch 4 --matmul-size 256 --array-mb 16)
  part "phases of a tiny model" 120 "$python" benchmarks/roofline.py --shape tiny --dtype bfloat16 "${small[@]}"
  part "phases by the attention of cuDNN" 120 "$python" benchmarks/roofline.py --shape tiny --dtype bfloat16 \
    "${small[@]}" --attention cudnn
  part scoring 120 "$python" benchmarks/scoring.py --tokens 512 --timed-tokens 256 --width 64 --vocab 4096
  if can_run True; then contestants=ours,transformers; fi
  part rollout 120 "$python" benchmarks/rollout.py --here --only "$contestants" --model random:tiny \
    --ends even --prompts 2 --group 2 --length 8
  exit
fi

large=(--dtype bfloat16 --prompts 32 --group 8 --prompt-length 128 --length 128
  --matmul-size 8192 --array-mb 2048 --micro-batch 32)
part "phases, 1.5B" 140 "$python" benchmarks/roofline.py --shape qwen-1.5b "${large[@]}"
part "phases with cuDNN, 1.5B" 100 "$python" benchmarks/roofline.py --shape qwen-1.5b "${large[@]}" --attention cudnn
part "phases, 135M" 80 "$python" benchmarks/roofline.py --shape smollm2 "${large[@]}"
part scoring 50 "$python" benchmarks/scoring.py --dtype bfloat16 --timed-tokens 8192
if can_run 'torch.cuda.is_available()'; then contestants=ours,transformers; fi
part rollout 100 "$python" benchmarks/rollout.py --here --only "$contestants" --model random:smollm2 \
  --device gpu --dtype bfloat16 --ends even --prompts 32 --group 8
echo "all parts: $((SECONDS - began)) s"
