package dev.unifiedllm

/** Shared between the modules of unified-llm: may change in any release, not for use outside of them. */
@RequiresOptIn(level = RequiresOptIn.Level.ERROR, message = "Internal to unified-llm: it may change in any release.")
@Retention(AnnotationRetention.BINARY)
@Target(AnnotationTarget.CLASS, AnnotationTarget.FUNCTION, AnnotationTarget.PROPERTY, AnnotationTarget.PROPERTY_SETTER, AnnotationTarget.CONSTRUCTOR)
public annotation class InternalLlmApi

/** Not settled: may still change before the next minor release. */
@RequiresOptIn(level = RequiresOptIn.Level.WARNING, message = "Not settled yet: it may still change before the next minor release.")
@Retention(AnnotationRetention.BINARY)
@Target(AnnotationTarget.CLASS, AnnotationTarget.FUNCTION, AnnotationTarget.PROPERTY, AnnotationTarget.PROPERTY_SETTER, AnnotationTarget.CONSTRUCTOR)
public annotation class ExperimentalLlmApi
