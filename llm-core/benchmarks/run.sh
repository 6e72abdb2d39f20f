#!/usr/bin/env bash
# Runs the streaming benchmark with this library among its clients.
#
#   llm-core/benchmarks/run.sh HARNESS_DIR [-r ROUNDS] SCENARIO[,SCENARIO...] CLIENT[,CLIENT...] [name=value ...]
#
# The clients of this library are unified-llm-model (the cold flow) and unified-llm-reply. With BEFORE=DIR, another checkout of the library, there are
# also before-model and before-reply, measured in the same run. HARNESS_DIR is never written to: it is copied, and built in the copy if it has not been.
# The harness's README names the scenarios and the other clients. Raw lines go to results.tsv in the copy.
set -euo pipefail

[ $# -ge 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
harness=$(cd "$1" && pwd)
shift
work=${BENCH_WORK:-${TMPDIR:-/tmp}/unified-llm-bench}

mkdir -p "$work/harness"
cp -R "$harness/." "$work/harness/" && chmod -R u+w "$work/harness"
cd "$work/harness"
[ -d core/target/classes ] || mvn -B -q process-classes
cp "$harness/clients.tsv" clients.tsv

# our client class, by the compiler that the build uses
mvn -B -q -f "$here/compiler-pom.xml" dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile="$work/compiler.txt"

# library CHECKOUT PREFIX: builds a checkout as a user gets it, its jars and all that they bring, and adds its two clients
library() {
  local checkout=$1 prefix=$2 jar path
  (cd "$checkout" && mvn -B -q package -pl llm-core,llm-dsl -Dmaven.test.skip=true -Dktlint.skip \
    dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile=target/classpath.txt)
  jar=$(ls "$checkout"/llm-dsl/target/llm-dsl-*.jar | grep -v -e tests -e sources -e javadoc)
  path="$jar:$(<"$checkout/llm-dsl/target/classpath.txt")"
  rm -rf "$work/$prefix"
  java -cp "$(<"$work/compiler.txt")" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -jvm-target 17 \
    -cp "core/target/classes:$path" -d "$work/$prefix" "$here/UnifiedLlm.kt"
  printf '%s:%s' "$work/$prefix" "$path" >"$work/$prefix.txt"
  printf '%s\t@%s\t%s\t%s\n' \
    "$prefix-model" "$work/$prefix.txt" bench.client.UnifiedLlmModel jdk-scan \
    "$prefix-reply" "$work/$prefix.txt" bench.client.UnifiedLlmReply jdk-scan >>clients.tsv
}

library "$root" unified-llm
[ -z "${BEFORE:-}" ] || library "$(cd "$BEFORE" && pwd)" before
exec ./run.sh "$@"
