#!/bin/sh
# Makes the traces of this folder again from their originals, byte for byte with the same version of pyarrow.
# usage: sh traces/import.sh FOLDER
# FOLDER holds azure/ (AzurePublicDataset data/), mooncake/ (FAST25-release/traces/) and ragpulse/ (data/), gzip or not.
set -eu
from=$1
to=${2:-$(dirname "$0")}
sim=${SIM:-sim}

file() { if [ -e "$from/$1" ]; then echo "$from/$1"; else echo "$from/$1.gz"; fi; }

azure() {
  "$sim" trace import "$(file "azure/$1")" --format azure --out "$to/$2" --licence CC-BY-4.0 \
    --source "github.com/Azure/AzurePublicDataset @ b469a113cedca53ddc3bdea71a143dc4b7d8700c, data/$1" \
    --cite "Patel et al., Splitwise: Efficient Generative LLM Inference Using Phase Splitting, ISCA 2024; Microsoft Azure"
}

mooncake() {
  "$sim" trace import "$(file "mooncake/$1")" --format mooncake --option block_size=512 --out "$to/$2" --licence Apache-2.0 \
    --source "github.com/kvcache-ai/Mooncake @ 3b5a594133958449a1feaf1c9e0fc1b553e34a28, FAST25-release/traces/$1" \
    --cite "Qin et al., Mooncake: Trading More Storage for Less Computation, FAST 2025"
}

azure AzureLLMInferenceTrace_code.csv azure-code-2023.parquet
azure AzureLLMInferenceTrace_conv.csv azure-conversation-2023.parquet
mooncake conversation_trace.jsonl mooncake-conversation.parquet
mooncake synthetic_trace.jsonl mooncake-synthetic.parquet
"$sim" trace import "$(file ragpulse/0_trace.jsonl)" --format ragpulse --option weeks=unwrapped \
  --out "$to/ragpulse.parquet" --licence "MIT, Copyright (c) 2025 zhengchao wang" \
  --source "github.com/flashserve/RAGPulse @ 3672232d45d749fdcf45dbc38cc77e5264af4a32, data/" \
  --cite "RAGPulse, arXiv:2511.12979"
