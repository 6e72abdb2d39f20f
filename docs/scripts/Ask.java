///usr/bin/env jbang "$0" "$@" ; exit $?
//DEPS dev.unifiedllm:llm-core:0.1.0-SNAPSHOT

import dev.unifiedllm.Llm;

class Ask {
    public static void main(String[] args) {
        try (Llm llm = Llm.create()) {
            System.out.println(llm.chat("demo/storyteller", "Why is the sky blue?").get().text());
        }
    }
}
