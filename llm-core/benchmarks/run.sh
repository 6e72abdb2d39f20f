#!/usr/bin/env bash
# Runs the streaming benchmark with this library among its clients.
#
#   llm-core/benchmarks/run.sh HARNESS_DIR [-r ROUNDS] SCENARIO[,SCENARIO...] CLIENT[,CLIENT...] [name=value ...]
#
# HARNESS_DIR is never written to: it is copied, and built in the copy if it has not been. Ours are called unified-llm-model and
# unified-llm-reply; the harness's own README names the scenarios and the other clients. Raw lines go to results.tsv in the copy.
set -euo pipefail

[ $# -ge 3 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
harness=$(cd "$1" && pwd)
shift
work=${BENCH_WORK:-${TMPDIR:-/tmp}/unified-llm-bench}

mkdir -p "$work/harness"
cp -R "$harness/." "$work/harness/" && chmod -R u+w "$work/harness"
cd "$work/harness"
[ -d core/target/classes ] || mvn -B -q process-classes

# the library, as a user gets it: its jars and all that they bring
(cd "$root" && mvn -B -q package -pl llm-core,llm-dsl -Dmaven.test.skip=true -Dktlint.skip \
  dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile=target/classpath.txt)
jar=$(ls "$root"/llm-dsl/target/llm-dsl-*.jar | grep -v -e tests -e sources -e javadoc)
library="$jar:$(<"$root/llm-dsl/target/classpath.txt")"

# our client class, by the compiler that the build uses
mvn -B -q -f "$here/compiler-pom.xml" dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile="$work/compiler.txt"
rm -rf "$work/classes"
java -cp "$(<"$work/compiler.txt")" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -jvm-target 17 \
  -cp "core/target/classes:$library" -d "$work/classes" "$here/UnifiedLlm.kt"

printf '%s:%s' "$work/classes" "$library" >"$work/classpath.txt"
cp "$harness/clients.tsv" clients.tsv
printf '%s\t@%s\t%s\t%s\n' \
  unified-llm-model "$work/classpath.txt" bench.client.UnifiedLlmModel jdk-scan \
  unified-llm-reply "$work/classpath.txt" bench.client.UnifiedLlmReply jdk-scan >>clients.tsv
exec ./run.sh "$@"
