package dev.unifiedllm.schema;

import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZonedDateTime;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.UUID;

/** Java types of which SchemaSpec makes schemas. */
public final class Records {
    private Records() {}

    @Retention(RetentionPolicy.RUNTIME)
    public @interface Nullable {}

    public record City(String name, int people, boolean isCapital) {}

    public record Primitives(byte b, short s, int i, long l, float f, double d, char c, boolean z) {}

    public record Boxed(Byte b, Short s, Integer i, Long l, Float f, Double d, Character c, Boolean z) {}

    public record Country(String name, City capital) {}

    public record Route(City from, City to) {}

    public record Tree(String name, List<Tree> children) {}

    public record Link(int value, @Nullable Link next) {}

    public record Person(String name, List<Job> jobs) {}

    public record Job(String title, Optional<Person> boss) {}

    public record Box<T>(T content) {}

    public record Boxes(Box<Integer> number, Box<String> text, Box<Box<City>> city) {}

    public record Node<T>(T value, Optional<Node<T>> next) {}

    public record Many<T>(List<? extends T> items, T[] array, Map<String, T> map) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Many<?> many && items.equals(many.items) && Arrays.equals(array, many.array) && map.equals(many.map);
        }

        @Override
        public int hashCode() {
            return items.hashCode();
        }
    }

    public record Maybe(Optional<String> text, Optional<City> city, @Nullable String nullable) {}

    public enum Color { RED, GREEN }

    public record Paint(Color color, @Nullable Color second) {}

    public sealed interface Shape permits Circle, Square {}

    public record Circle(double radius) implements Shape {}

    public record Square(double side) implements Shape {}

    public record Drawing(Circle first, List<Shape> shapes) {}

    public sealed interface Animal permits Cat, Bird {}

    public record Cat(int lives) implements Animal {}

    public sealed interface Bird extends Animal permits Penguin, Duck {}

    public record Penguin(boolean isHungry) implements Bird {}

    public record Duck(String sound) implements Bird {}

    public sealed interface Expression permits Number, Sum {}

    public record Number(long value) implements Expression {}

    public record Sum(Expression left, Expression right) implements Expression {}

    public sealed interface Result<T> permits Ok, Failed {}

    public record Ok<V>(V value) implements Result<V> {}

    public record Failed<V>(String why) implements Result<V> {}

    public record Collections(List<String> list, Collection<Integer> collection, Set<Color> set, SortedSet<String> sorted, Iterable<List<Integer>> nested) {}

    public record Queues(Queue<Integer> queue) {}

    public record Arrays2(int[] ints, String[] texts, City[] cities, List<City>[] lists, double[][] matrix) {}

    public record Maps(Map<String, City> byName, Map<Color, Integer> byColor, SortedMap<Integer, String> byNumber) {}

    public record Times(
        LocalDate date, LocalTime time, LocalDateTime dateTime, Instant instant, OffsetDateTime offset, ZonedDateTime zoned, Duration duration, Period period,
        Year year, YearMonth month
    ) {}

    public record Money(BigDecimal amount, BigInteger units) {}

    public record Names(UUID id, URI uri, CharSequence text) {}

    @Description("A place to go")
    public record Place(@Description("As in Paris") String name, @Description("Its centre") City city, @Description("May be unknown") @Nullable City near) {}

    public record Anything(Object value, kotlinx.serialization.json.JsonElement json, kotlinx.serialization.json.JsonObject object) {}

    public record WithKotlin(KotlinTree tree, List<KotlinTree> trees, Tree java) {}

    public record Empty() {}

    public record Checked(int age) {
        public Checked {
            if (age < 0) throw new IllegalStateException("age must not be negative");
        }
    }

    public sealed interface Mixed permits MixedRecord, MixedEnum {}

    public record MixedRecord(int value) implements Mixed {}

    public enum MixedEnum implements Mixed { ONE }

    public sealed interface Typed permits TypedRecord {}

    public record TypedRecord(String type) implements Typed {}

    public record StrangeKeys(Map<City, String> map) {}
}
