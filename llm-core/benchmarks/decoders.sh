#!/usr/bin/env bash
# What a delta costs from the bytes of a body to the consumer, without a network: CPU nanoseconds and bytes, per wire, with frames that are compared with the
# last one and with frames that are all read as JSON.
#
#   llm-core/benchmarks/decoders.sh [FORKS]
#
# Each fork is a JVM of its own; it warms up for 6 s and measures for 5. Prints the median and the range over all iterations.
set -euo pipefail
forks=${1:-3}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${BENCH_WORK:-${TMPDIR:-/tmp}/unified-llm-decoders}
mkdir -p "$work"
cd "$root"
mvn -B -q -f "$here/compiler-pom.xml" dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile="$work/compiler.txt"
mvn -B -q package -pl llm-core -Dmaven.test.skip=true -Dktlint.skip dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile="$work/classpath.txt"
jar=$(ls llm-core/target/llm-core-*.jar | grep -v -e tests -e sources -e javadoc)
path="$PWD/$jar:$(<"$work/classpath.txt")"
rm -rf "$work/classes"
java -cp "$(<"$work/compiler.txt")" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -jvm-target 17 -Xfriend-paths="$PWD/$jar" \
  -opt-in=dev.unifiedllm.InternalLlmApi -cp "$path" -d "$work/classes" "$here/Decoders.kt"
for _ in $(seq "$forks"); do
  for wire in OPENAI ANTHROPIC OLLAMA; do
    for way in compared full; do
      java -Xms256m -Xmx1g -cp "$work/classes:$path" dev.unifiedllm.benchmarks.DecodersKt "$wire" "$way"
    done
  done
done >"$work/results.tsv"
printf '| wire | frames are | ns/delta (range) | bytes/delta |\n|---|---|---|---|\n'
sort -t$'\t' -k1,1 -k2,2 -k3,3n "$work/results.tsv" | awk -F'\t' '
  function row() { if (n) printf "| %s | %s | %d (%d-%d) | %d |\n", wire, way, ns[int((n + 1) / 2)], ns[1], ns[n], bytes }
  $1 != wire || $2 != way { row(); n = 0; wire = $1; way = $2 }
  { ns[++n] = $3; bytes = $4 }
  END { row() }'
