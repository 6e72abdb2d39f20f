package dev.unifiedllm.schema

import dev.unifiedllm.InternalLlmApi
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/** A type of the user's as a model sees it: its JSON schema, and how its JSON is read and written. */
@InternalLlmApi
public interface JsonType<T> {
    /** A name for schemas and messages: letters, digits, `_` and `-`. */
    public val name: String

    /** The JSON schema (2020-12) of the type. Its root need not be an object: see [asObject]. */
    public val schema: JsonObject

    /**
     * The places of [schema] that are outside the strict subset of JSON schema, such as maps and open JSON, as in `$.tags`. Empty if there are none: then a
     * provider can guarantee that what it generates follows the schema.
     */
    public val openPlaces: List<String>

    /** @throws SchemaMismatch if [json] is not of this type; the message says where, and what was expected */
    public fun decode(json: JsonElement): T

    public fun encode(value: T): JsonElement
}

/** JSON does not have the form that was asked for. The message is written so that the model, too, can correct it. */
@InternalLlmApi
public class SchemaMismatch(message: String, cause: Throwable? = null) : IllegalArgumentException(message, cause)

/** Finds types that are neither `@Serializable` nor Java records, such as the classes of a notebook's cells. Loaded by the ServiceLoader. */
@InternalLlmApi
public interface JsonTypeProvider {
    /** Null if [type] is not known here. */
    public fun find(type: kotlin.reflect.KType): JsonType<*>?
}
