@file:DependsOn("dev.unifiedllm:llm-dsl:0.1.0-SNAPSHOT")

import dev.unifiedllm.dsl.*

println(chat("demo/storyteller", "Why is the sky blue?").get().text)
