package dev.unifiedllm.schema

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerialInfo

/**
 * Tells the model what a class, a property or a record component means: the `description` in the JSON schema that is sent.
 *
 *     @Serializable
 *     data class City(@Description("As in Paris") val name: String, @Description("ISO 3166 code") val country: String? = null)
 */
@OptIn(ExperimentalSerializationApi::class)
@SerialInfo
@MustBeDocumented
@Target(AnnotationTarget.CLASS, AnnotationTarget.PROPERTY, AnnotationTarget.FIELD)
public annotation class Description(val value: String)
