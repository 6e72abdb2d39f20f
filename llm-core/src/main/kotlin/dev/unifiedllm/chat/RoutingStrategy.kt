package dev.unifiedllm.chat

/** By what a group chooses the target of a call. Targets that cool down, and those that lack what the request needs, are left out. */
public enum class RoutingStrategy {
    /** By chance, in the ratio of the weights. */
    WEIGHTED,

    /** The shortest average time to the first content, by the calls of the last five minutes. A target without such a call comes first. */
    LATENCY,

    /** The fewest running requests of this client, for its weight. */
    LEAST_BUSY,

    /** The lowest price of a million input and a million output tokens. Free targets come first, those whose price is not known last. */
    CHEAPEST,

    /** The first one in the order in which the targets are named. */
    IN_ORDER,
}
