import dev.unifiedllm.*
Llm llm = Llm.create()
llm.chat("demo/storyteller", "Why is the sky blue?").forEachDelta(System.out::print)
/exit
