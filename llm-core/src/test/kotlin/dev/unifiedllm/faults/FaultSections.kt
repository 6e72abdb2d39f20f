package dev.unifiedllm.faults

/** All sections, in the order of the list of faults. Each is run by its spec; `FaultsSpec` checks that together they have every number. */
internal val faultSections: List<FaultSection> get() = listOf(
    FaultsConnect,
    FaultsHead,
    FaultsBody,
    FaultsFraming,
    FaultsStatus,
    FaultsPayload,
    FaultsSemantics,
    FaultsSize,
    FaultsCancellation,
    FaultsRetry,
    FaultsRouting,
    FaultsFallback,
    FaultsLedger,
    FaultsConfiguration,
    FaultsNotebook,
)
